//! The published vector of the lineage tether, read where the data is present.

mod shared;

use covey_core::category::{COUNT, Category, Weights};
use covey_core::hash::hex;
use covey_core::identity::SigningKey;
use covey_core::tether::{Attestation, Standing, Verdict, measure};
use serde_json::{Value, json};

/// The published test key of MMP 1.1: one byte, repeated.
const SEED: [u8; 32] = [0x42; 32];

fn vectors(fields: &Value) -> [Option<Vec<f64>>; COUNT] {
    Category::ALL.map(|category| {
        let numbers = fields[category.name()]["vector"].as_array()?;
        Some(numbers.iter().map(|number| number.as_f64().expect("a number")).collect())
    })
}

fn borrowed(vectors: &[Option<Vec<f64>>; COUNT]) -> [Option<&[f64]>; COUNT] {
    std::array::from_fn(|index| vectors[index].as_deref())
}

#[test]
fn drifts_and_verdicts_are_the_published_ones() {
    let Some(data) = shared::file("v2/published/conformance/tether-v1.json") else { return };
    let cases = data["driftCases"].as_array().expect("cases");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let weights = Category::ALL.map(|category| case["fieldWeights"][category.name()].as_f64().unwrap_or(1.0));
        let (remix, root) = (vectors(&case["remixFields"]), vectors(&case["anchorFields"]));
        let weights = Weights::new(weights).expect("weights");
        let expected = &case["expected"];
        match measure(&borrowed(&remix), &borrowed(&root), &weights, 0.5) {
            Standing::Unverified => assert_eq!(expected, &json!({"checked": false, "tethered": true, "drift": null})),
            Standing::Measured { drift, verdict } => {
                assert_eq!(expected["checked"], true);
                assert_eq!(expected["tethered"], verdict == Verdict::Tethered);
                assert!((drift - expected["drift"].as_f64().expect("a drift")).abs() < 1e-9, "{case}");
            }
        }
    }
}

#[test]
fn the_signed_bytes_are_the_published_ones() {
    let Some(data) = shared::file("v2/published/conformance/tether-v1.json") else { return };
    let published = &data["attestation"];
    let mut record = published["record"].clone();
    record["sig"] = published["expectedSig"].clone();
    record["sigAlg"] = published["sigAlg"].clone();
    let read = Attestation::parse(record.to_string().as_bytes()).expect("the published record");
    assert_eq!(hex(&read.payload()), published["payloadHex"].as_str().expect("hex"));
    let key = SigningKey::from_seed(&SEED).expect("the published test key");
    read.verify(key.public()).expect("the published signature");
    let of = |kernel: &str| {
        Attestation::sign("a", "b", kernel, 0.0, Verdict::Tethered, "c", 0, &key).expect("an attestation")
    };
    for case in published["comparability"].as_array().expect("pairs") {
        let pair = ["a", "b"].map(|side| of(case[side].as_str().expect("a kernel")));
        assert_eq!(pair[0].is_comparable(&pair[1]), case["comparable"], "{case}");
    }
}
