//! Any bytes into one decoder give a value or a documented refusal, nothing else, in bounded memory and time.
//!
//! `COVEY_FUZZ_TARGET` names the decoder; the targets and their corpora are those of the short runs in `cargo test`.
#![no_main]

mod harness {
    /// One decoder under test: its name, and the property.
    pub type Target = (&'static str, fn(&[u8]));
}
#[path = "../../rust/legacy/tests/fuzz/targets.rs"]
mod legacy;
#[path = "../../rust/core/tests/fuzz/targets.rs"]
mod targets;

use std::sync::LazyLock;

static PROPERTY: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("COVEY_FUZZ_TARGET").expect("COVEY_FUZZ_TARGET names a decoder");
    let all = || targets::TARGETS.iter().chain(legacy::TARGETS);
    let known: Vec<&str> = all().map(|target| target.0).collect();
    all().find(|target| target.0 == wanted).unwrap_or_else(|| panic!("no such decoder: {wanted}; there are {known:?}")).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| PROPERTY(data));
