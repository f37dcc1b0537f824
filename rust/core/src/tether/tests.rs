//! What is measured, what follows from it, and what a signature binds. The published vector is in `tests/`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::attestation::six_digits;
use super::*;
use crate::category::{COUNT, Weights};
use crate::encoder::Kernel;
use crate::error::Reason;
use crate::identity::SigningKey;

const FLOOR: f64 = 0.5;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

fn texts(focus: &'static str) -> [&'static str; COUNT] {
    [focus, "", "", "", "", "", ""]
}

fn attested(drift: f64) -> Attestation {
    let verdict = Verdict::Severed;
    Attestation::sign("cmb-remix", "cmb-root", "ngram-h32", drift, verdict, "node", 7, &key(1)).unwrap()
}

#[test]
fn a_faithful_remix_keeps_its_parents_and_a_departed_one_becomes_a_root() {
    let weights = Weights::UNIFORM;
    let root = texts("the release of the parser waits for its tests");
    let near = of_texts(Kernel::NgramH32, texts("the parser's release waits for tests"), root, &weights, FLOOR);
    let far = of_texts(Kernel::NgramH32, texts("xylophone quartz"), root, &weights, FLOOR);
    assert!(matches!(near, Standing::Measured { verdict: Verdict::Tethered, drift } if drift < FLOOR), "{near:?}");
    assert!(matches!(far, Standing::Measured { verdict: Verdict::Severed, drift } if drift > FLOOR), "{far:?}");
    assert_eq!(near.lineage(vec!["parent"]), ["parent"]);
    assert!(far.lineage(vec!["parent"]).is_empty());
}

#[test]
fn what_cannot_be_compared_is_unverified_and_severs_nothing() {
    let none = [None; COUNT];
    let mut one: [Option<&[f64]>; COUNT] = none;
    one[0] = Some(&[1.0, 0.0]);
    let mut longer = none;
    longer[0] = Some(&[1.0, 0.0, 0.0]);
    for (remix, root) in [(&none, &one), (&one, &none), (&one, &longer)] {
        let standing = measure(remix, root, &Weights::UNIFORM, FLOOR);
        assert_eq!(standing, Standing::Unverified);
        assert_eq!(standing.lineage(vec![1]), [1]);
    }
    // A category that counts for nothing compares nothing.
    let mut weights = [1.0; COUNT];
    weights[0] = 0.0;
    assert_eq!(measure(&one, &one, &Weights::new(weights).unwrap(), FLOOR), Standing::Unverified);
}

#[test]
fn the_floor_itself_still_holds() {
    let mut remix: [Option<&[f64]>; COUNT] = [None; COUNT];
    remix[0] = Some(&[1.0, 0.0]);
    remix[1] = Some(&[0.0, 1.0]);
    let mut root = remix;
    root[1] = Some(&[1.0, 0.0]);
    let standing = measure(&remix, &root, &Weights::UNIFORM, FLOOR);
    assert_eq!(standing, Standing::Measured { drift: 0.5, verdict: Verdict::Tethered });
}

#[test]
fn every_member_is_bound_and_a_forged_one_does_not_hold() {
    let told = attested(0.752_348);
    told.verify(key(1).public()).unwrap();
    assert_eq!(told.verify(key(2).public()).unwrap_err().reason, Reason::BadSignature);
    let value: Value = serde_json::from_slice(&told.to_json()).unwrap();
    assert_eq!(Attestation::parse(&told.to_json()).unwrap(), told);
    let changes = [
        ("of", json!("cmb-other")),
        ("anchor", json!("cmb-other")),
        ("kernelId", json!("minilm")),
        ("drift", json!(0.752_349)),
        ("verdict", json!("tethered")),
        ("by", json!("nobody")),
        ("at", json!(8)),
    ];
    for (member, other) in changes {
        let mut bent = value.clone();
        bent[member] = other;
        let read = Attestation::parse(bent.to_string().as_bytes()).unwrap();
        assert!(read.verify(key(1).public()).is_err(), "{member}");
    }
}

#[test]
fn what_is_outside_the_form_is_refused() {
    let value: Value = serde_json::from_slice(&attested(0.5).to_json()).unwrap();
    let mut beside = value.clone();
    beside["note"] = json!("an open schema");
    assert!(Attestation::parse(beside.to_string().as_bytes()).is_ok());
    for (member, other) in [
        ("of", json!("")),
        ("of", json!("a b")),
        ("anchor", json!("é")),
        ("kernelId", json!("x".repeat(129))),
        ("drift", json!(-0.1)),
        ("drift", json!(2.1)),
        ("drift", json!("0.5")),
        ("verdict", json!("perhaps")),
        ("at", json!(-1)),
        ("at", json!(9_007_199_254_740_992_u64)),
        ("sig", json!("AA")),
        ("sigAlg", json!("none")),
        ("by", Value::Null),
    ] {
        let mut bent = value.clone();
        bent[member] = other;
        assert!(Attestation::parse(bent.to_string().as_bytes()).is_err(), "{bent}");
    }
}

#[test]
fn six_digits_are_those_of_the_reference() {
    let cases = [
        (0.0, "0.000000"),
        (2.0, "2.000000"),
        (0.752_348, "0.752348"),
        (0.1, "0.100000"),
        (1.0 / 128.0, "0.007813"),
        (3.0 / 128.0, "0.023438"),
        (255.0 / 128.0, "1.992188"),
        (0.999_999_6, "1.000000"),
    ];
    for (drift, digits) in cases {
        assert_eq!(six_digits(drift), digits);
    }
}

proptest! {
    #[test]
    fn what_was_signed_is_read_back_and_holds(drift in 0.0..=2.0_f64) {
        let told = attested(drift);
        let read = Attestation::parse(&told.to_json()).unwrap();
        prop_assert_eq!(read.payload(), told.payload());
        prop_assert!(read.verify(key(1).public()).is_ok());
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Attestation::parse(&bytes).is_err());
    }

    #[test]
    fn a_block_never_departs_from_itself(words in prop::collection::vec("[a-z]{1,9}", 1..6)) {
        let text = words.join(" ");
        let mut block = [""; COUNT];
        block[0] = &text;
        let standing = of_texts(Kernel::NgramH32, block, block, &Weights::UNIFORM, FLOOR);
        prop_assert!(standing.descends());
    }
}
