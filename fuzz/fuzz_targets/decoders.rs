//! Any bytes into one decoder give a value or a documented refusal, nothing else, in bounded memory and time.
//!
//! `COVEY_FUZZ_TARGET` names the decoder; the targets and their corpora are those of the short run in `cargo test`.
#![no_main]

#[path = "../../rust/core/tests/fuzz/targets.rs"]
mod targets;

use std::sync::LazyLock;

static PROPERTY: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("COVEY_FUZZ_TARGET").expect("COVEY_FUZZ_TARGET names a decoder");
    let known: Vec<&str> = targets::TARGETS.iter().map(|target| target.0).collect();
    let found = targets::TARGETS.iter().find(|target| target.0 == wanted);
    found.unwrap_or_else(|| panic!("no such decoder: {wanted}; there are {known:?}")).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| PROPERTY(data));
