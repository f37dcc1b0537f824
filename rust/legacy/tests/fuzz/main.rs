//! A short mutational run of every decoder of the legacy wire, by the runner of the core's.

#[path = "../../../core/tests/fuzz/harness.rs"]
mod harness;
#[path = "../../../core/tests/fuzz/mutate.rs"]
mod mutate;
mod targets;

use harness::{corpus, tried};
use targets::TARGETS;

#[test]
fn any_bytes_give_a_value_or_a_refusal() {
    harness::run(TARGETS);
}

#[test]
fn every_corpus_has_a_target_and_something_it_takes() {
    harness::check_corpora(TARGETS);
    for seed in corpus("legacy_record") {
        tried("legacy_record", |data| assert!(covey_legacy::record::read(data).is_ok()), &seed);
    }
}
