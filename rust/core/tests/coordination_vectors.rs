//! covey's own vectors of what agents say to each other: frames are strict JSON, leases and results are records that
//! hold, are messages, and fall with any byte of what they say.

use covey_core::hash::unhex;
use covey_core::identity::PublicKey;
use covey_core::json::{self, parse_strict};
use covey_core::record::Unverified;
use covey_core::signature;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../tests/conformance/coordination-v1.json");

fn vectors() -> Value {
    serde_json::from_str(VECTORS).expect("the file is JSON")
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("a text member")
}

#[test]
fn test_s19_every_frame_is_strict_json_of_its_type() {
    let data = vectors();
    let frames = data["frames"].as_array().expect("frames");
    assert!(frames.len() >= 8);
    for frame in frames {
        let bytes = text(frame, "bytes").as_bytes();
        json::check_depth(bytes, 16).expect("no deeper than a control frame");
        let read = parse_strict(bytes).expect("strict JSON");
        assert_eq!(read["type"], "x-covey-bus", "{}", text(frame, "name"));
    }
}

#[test]
fn test_s19_leases_and_results_are_records_that_hold() {
    let data = vectors();
    let key = unhex::<32>(text(&data, "publicKeyHex")).expect("32 bytes");
    let key = PublicKey::from_bytes(key).expect("a key");
    let records = data["records"].as_array().expect("records");
    assert_eq!(records.len(), 2);
    for vector in records {
        let bytes = text(vector, "bytes");
        let claim = Unverified::parse(bytes.as_bytes()).expect("a record");
        assert!(claim.claimed().is_message());
        assert_eq!(claim.claimed().to_json(), bytes.as_bytes(), "canonical");
        let record = signature::verify(claim, &key).expect("its signature holds");
        assert_eq!(record.record().metadata.key.to_string(), text(vector, "key"));
        assert_eq!(record.record().metadata.assertion_id.to_string(), text(vector, "assertionId"));
        let application = record.record().metadata.application.clone().expect("a message");
        let carried = parse_strict(application.data()).expect("strict JSON");
        assert_eq!(carried["message"], vector["message"]);

        let said = application.encoded();
        let mut other = said.clone().into_bytes();
        other[40] = if other[40] == b'A' { b'B' } else { b'A' };
        let changed = bytes.replace(&said, std::str::from_utf8(&other).expect("text"));
        let refused = Unverified::parse(changed.as_bytes()).is_ok_and(|claim| signature::verify(claim, &key).is_ok());
        assert!(!refused, "a changed byte of what is said must not hold");
    }
}
