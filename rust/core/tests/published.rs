//! The published vectors of the signed payload, read where the data is present.

mod shared;

use covey_core::hash::hex;
use covey_core::record::{Application, Unverified};
use covey_core::signature;
use serde_json::Value;

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("a text member")
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
