//! A short mutational run of every decoder, from its committed corpus, on the stable toolchain.
//!
//! Not coverage-guided: that needs an instrumented build. This run is part of `cargo test`, repeats itself exactly
//! from its seed (as many inputs each time), and names what it found. `COVEY_FUZZ_SECONDS` gives each target longer, `COVEY_FUZZ_SEED` another
//! way through.

mod harness;
mod mutate;
mod targets;

use std::panic::catch_unwind;

use harness::{corpus, tried};
use mutate::Mutator;
use targets::TARGETS;

#[test]
fn any_bytes_give_a_value_or_a_refusal() {
    harness::run(TARGETS);
}

#[test]
fn every_corpus_has_a_target_and_something_it_takes() {
    harness::check_corpora(TARGETS);
    // The seeds are worth something: the record of the corpus is a record.
    assert!(corpus("record").iter().any(|input| covey_core::record::Unverified::parse(input).is_ok()));
}

#[test]
fn a_run_repeats_itself() {
    let seeds = vec![b"{\"type\":\"ping\"}".to_vec(), b"[1,2]".to_vec()];
    let run = |seed| {
        let mut mutator = Mutator::new(seed);
        (0..200).map(|_| mutator.next(&seeds)).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn what_breaks_is_named() {
    let broken = |data: &[u8]| assert!(data.len() < 3, "too long");
    assert!(catch_unwind(|| tried("sample", broken, b"ab")).is_ok());
    assert!(catch_unwind(|| tried("sample", broken, b"abc")).is_err());
}
