//! The vectors of the lineage tether: covey's own, which any checkout has, and the published ones where they are present.

mod shared;

use covey_core::category::{COUNT, Category, Weights};
use covey_core::hash::hex;
use covey_core::identity::SigningKey;
use covey_core::tether::{Attestation, Standing, Verdict, measure};
use serde_json::{Value, json};

/// The published test key of MMP 1.1: one byte, repeated.
const SEED: [u8; 32] = [0x42; 32];

const OWN: &str = include_str!("../../../tests/conformance/tether-v1.json");
const PUBLISHED: &str = "v2/published/conformance/tether-v1.json";

/// covey's own vectors: of the same layout, and made without the core (tests/conformance/tether.py).
fn own() -> Value {
    serde_json::from_str(OWN).expect("the file is JSON")
}

fn vectors(fields: &Value) -> [Option<Vec<f64>>; COUNT] {
    Category::ALL.map(|category| {
        let numbers = fields[category.name()]["vector"].as_array()?;
        Some(numbers.iter().map(|number| number.as_f64().expect("a number")).collect())
    })
}

fn borrowed(vectors: &[Option<Vec<f64>>; COUNT]) -> [Option<&[f64]>; COUNT] {
    std::array::from_fn(|index| vectors[index].as_deref())
}

/// How many cases there are.
fn drifts_and_verdicts(data: &Value) -> usize {
    let cases = data["driftCases"].as_array().expect("cases");
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
    cases.len()
}

fn signed_bytes(data: &Value) {
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

#[test]
fn drifts_and_verdicts_are_what_fractions_say() {
    assert_eq!(drifts_and_verdicts(&own()), 11);
}

#[test]
fn the_signed_bytes_are_what_the_construction_says() {
    signed_bytes(&own());
}

#[test]
fn drifts_and_verdicts_are_the_published_ones() {
    let Some(data) = shared::file(PUBLISHED) else { return };
    assert_eq!(drifts_and_verdicts(&data), 4);
}

#[test]
fn the_signed_bytes_are_the_published_ones() {
    let Some(data) = shared::file(PUBLISHED) else { return };
    signed_bytes(&data);
}
