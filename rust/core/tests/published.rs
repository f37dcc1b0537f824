//! The published vectors of strict Ed25519 and of the signed payload, read where the data is present.

mod shared;

use covey_core::hash::{hex, unhex};
use covey_core::identity::PublicKey;
use covey_core::record::{Application, Unverified};
use covey_core::signature;
use serde_json::Value;

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("a text member")
}

fn strict(message: &[u8], key: &str, signature: &str) -> bool {
    let key = PublicKey::from_bytes(unhex(key).expect("32 bytes"));
    let signature = unhex(signature).expect("64 bytes");
    key.is_ok_and(|key| signature::verify_bytes(message, &signature, &key).is_ok())
}

fn bytes(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn strict_ed25519() {
    let Some(data) = shared::file("v2/update1/ed25519-strict-v2.json") else { return };
    let cases = data["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 23);
    for case in cases {
        let message = bytes(text(case, "messageHex"));
        let accepted = strict(&message, text(case, "publicKeyHex"), text(case, "signatureHex"));
        assert_eq!(accepted, text(case, "expected") == "accept", "{}", text(case, "label"));
    }
}

#[test]
fn signed_payloads_and_commitments() {
    let Some(data) = shared::file("v2/published/conformance/v2/record-signature-v2.json") else { return };
    for case in data["cases"].as_array().expect("cases") {
        let claim = Unverified::parse(case["record"].to_string().as_bytes()).expect("a published record parses");
        let record = claim.claimed();
        assert_eq!(hex(&signature::payload(record)), text(case, "expectedSigningPayloadHex"));
        let commitment = signature::category_parents_commitment(&record.categories);
        assert_eq!(commitment, text(case, "expectedCategoryParentsCommitment"));
    }
}

#[test]
fn application_commitments() {
    let Some(data) = shared::file("v2/published/conformance/v2/application-v2.json") else { return };
    for case in data["cases"].as_array().expect("cases") {
        let given = &case["application"];
        let application = (!given.is_null()).then(|| {
            let data = text(case, "decodedDataUtf8").as_bytes().to_vec();
            Application::new(text(given, "mediaType"), text(given, "schema"), data).expect("well-formed")
        });
        assert_eq!(signature::application_commitment(application.as_ref()), text(case, "expectedCommitment"));
    }
}
