//! The runner of a short mutational run: corpora from files, inputs one after another, a panic or a slow one named.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::mutate::Mutator;

/// One decoder under test: its name, which names its corpus, and the property.
pub type Target = (&'static str, fn(&[u8]));

/// Inputs of each target where nothing else is said: a number and not a time, so that the commit decides what is tried
/// and not how busy the machine is.
const INPUTS: u64 = 2_000;

/// What one input may take, on a busy machine without optimisation; every input here is below 64 KiB.
const SLOWEST: Duration = Duration::from_secs(5);

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

pub fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files.iter().map(|file| seed(file)).collect()
}

/// Read one seed. What is no text is kept as hexadecimal digits, so that every file of the tree can be read by people.
fn seed(file: &Path) -> Vec<u8> {
    let bytes = std::fs::read(file).expect("readable");
    if file.extension().is_none_or(|extension| extension != "hex") {
        return bytes;
    }
    let digits: Vec<u32> = bytes.iter().filter_map(|byte| char::from(*byte).to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits")).collect()
}

/// Run one input; a panic or a slow answer ends the test with everything that repeats it.
pub fn tried(name: &str, property: fn(&[u8]), input: &[u8]) {
    let begun = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| property(input)));
    let shown = String::from_utf8_lossy(input);
    assert!(outcome.is_ok(), "{name}: found by {} bytes: {shown:?}", input.len());
    assert!(begun.elapsed() < SLOWEST, "{name}: {:?} for {} bytes: {shown:?}", begun.elapsed(), input.len());
}

fn explore(&(name, property): &Target, seconds: u64, seed: u64) -> u64 {
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "{name}: no corpus");
    for input in &corpus {
        tried(name, property, input);
    }
    let (until, mut mutator) = (Instant::now() + Duration::from_secs(seconds), Mutator::new(seed));
    let mut count = 0;
    while if seconds == 0 { count < INPUTS } else { Instant::now() < until } {
        let input = mutator.next(&corpus);
        tried(name, property, &input);
        count += 1;
    }
    count
}

/// Explore every target with as many inputs as each commit's run has, or for as long as `COVEY_FUZZ_SECONDS` says.
pub fn run(targets: &[Target]) {
    let (seconds, seed) = (setting("COVEY_FUZZ_SECONDS", 0), setting("COVEY_FUZZ_SEED", 1));
    for target in targets {
        let count = explore(target, seconds, seed);
        println!("{}: {count} inputs, seed {seed}", target.0);
        assert!(count > 0);
    }
}

/// Hold that every corpus of this crate has a target, and every target a corpus.
pub fn check_corpora(targets: &[Target]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the corpora")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut known: Vec<&str> = targets.iter().map(|target| target.0).collect();
    known.sort_unstable();
    assert_eq!(names, known);
}
