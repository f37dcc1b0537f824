//! What a kernel read is stored under its id, read back for that kernel only, and made anew for another.

mod common;

use std::collections::BTreeMap;

use common::{ANN, BOB, Folder, ME, NOW, ROOM, key, key_of, node, says};
use covey_core::category::Weights;
use covey_core::encoder::Encoder;
use covey_core::id::ContentKey;
use covey_core::intake::{Intake, Kind, Policy};
use covey_core::record::Verified;
use covey_core::svaf::{Gate, Thresholds};
use covey_store::limits::{ENCODE_SLICE, READ_AT_START};
use covey_store::{Progress, Store};
use proptest::prelude::*;

/// More than a start reads at once, in a whole number of slices behind it.
const MANY: usize = READ_AT_START + 3 * ENCODE_SLICE;

fn listening(encoder: &Encoder) -> Intake {
    let gate = Gate::new(Weights::UNIFORM, Thresholds::selective(encoder)).unwrap();
    let mut intake = Intake::new(node(ME), ROOM, Policy::selective(gate, encoder.clone())).unwrap();
    for who in [ME, ANN, BOB] {
        intake.bind(node(who), *key(who).public());
    }
    intake
}

fn record(number: usize) -> Verified {
    says(ANN, &format!("parser{number} drops frame{number} under load"))
}

/// Fill a store, a second between each two blocks.
fn fill(store: &Store, numbers: std::ops::Range<usize>) {
    for number in numbers {
        store.carry_in(&[&record(number)], NOW + 1_000 * number as u64).unwrap();
    }
}

fn keys(numbers: std::ops::Range<usize>) -> Vec<ContentKey> {
    numbers.rev().map(|number| key_of(&record(number))).collect()
}

/// Read everything; return how many slices that took.
fn encode_all(store: &Store, encoder: &Encoder, intake: &mut Intake) -> usize {
    let window = intake.policy().window;
    for slices in 0.. {
        let found = store.encode(encoder, window).unwrap();
        if found.read == 0 {
            return slices;
        }
        intake.restore_read(found.blocks);
    }
    0
}

fn progress(store: &Store, encoder: &Encoder) -> Progress {
    store.encoding(encoder, 4_096).unwrap()
}

#[test]
fn another_kernel_reads_all_again_behind_a_start_that_took_the_newest() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, 0..MANY);
    let mut intake = listening(&Encoder::Words);
    assert_eq!(store.load_into(&mut intake).unwrap(), READ_AT_START, "nothing is stored yet");
    assert_eq!(intake.anchors().collect::<Vec<_>>(), keys(MANY - READ_AT_START..MANY), "the newest");
    encode_all(&store, &Encoder::Words, &mut intake);
    assert_eq!(intake.anchors().collect::<Vec<_>>(), keys(0..MANY), "each in the place of its time");
    assert_eq!(store.kernels().unwrap(), BTreeMap::from([("words-1".to_owned(), MANY as u64)]));

    // The same kernel again: nothing is read.
    let mut again = listening(&Encoder::Words);
    assert_eq!(store.load_into(&mut again).unwrap(), MANY);
    assert_eq!(encode_all(&store, &Encoder::Words, &mut again), 0);

    // Another: what the first one read is no anchor, and is made anew.
    let mut other = listening(&Encoder::Lexis);
    assert_eq!(store.load_into(&mut other).unwrap(), READ_AT_START);
    assert_eq!(progress(&store, &Encoder::Lexis), Progress { read: 0, of: MANY as u64 });
    encode_all(&store, &Encoder::Lexis, &mut other);
    assert_eq!(other.anchors().collect::<Vec<_>>(), keys(0..MANY));
    assert_eq!(store.kernels().unwrap(), BTreeMap::from([("lexis-h1024".to_owned(), MANY as u64)]));
    assert_eq!(progress(&store, &Encoder::Words).read, 0, "one kernel for each block");
}

#[test]
fn an_interruption_loses_no_more_than_a_slice() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, 0..MANY);
    store.encode(&Encoder::Words, 4_096).unwrap();
    store.encode(&Encoder::Words, 4_096).unwrap();
    store.close().unwrap();
    drop(store);
    let store = folder.open();
    assert_eq!(progress(&store, &Encoder::Words), Progress { read: 2 * ENCODE_SLICE as u64, of: MANY as u64 });
    let mut intake = listening(&Encoder::Words);
    assert_eq!(store.load_into(&mut intake).unwrap(), 2 * ENCODE_SLICE + READ_AT_START);
    let slices = encode_all(&store, &Encoder::Words, &mut intake);
    assert_eq!(slices, MANY.div_ceil(ENCODE_SLICE) - 2);
    assert_eq!(intake.anchors().count(), MANY);
}

#[test]
fn what_comes_meanwhile_is_no_anchor_twice_and_what_went_is_none() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, 0..8);
    let mut intake = listening(&Encoder::Words);
    store.load_into(&mut intake).unwrap();
    // Stored, and not yet told to the intake: its author's own path does that, and must find it new.
    let own = says(ME, "the author's own words about the parser");
    store.put_own(&own, NOW + 20_000, &[]).unwrap();
    assert_eq!(encode_all(&store, &Encoder::Words, &mut intake), 1);
    assert!(intake.admit_own(&own, NOW + 20_000));
    assert_eq!(intake.anchors().count(), 9);
    assert_eq!(progress(&store, &Encoder::Words), Progress { read: 9, of: 9 });

    let mut pass = store.forgettable(NOW + 3_000, usize::MAX).unwrap();
    assert_eq!(store.forget(&mut pass).unwrap(), 3);
    assert_eq!(store.kernels().unwrap()["words-1"], 6);
}

#[test]
fn only_what_can_be_compared_with_is_kept() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, 0..30);
    assert_eq!(store.encode(&Encoder::Words, 20).unwrap().read, 20);
    fill(&store, 30..40);
    assert_eq!(store.encode(&Encoder::Words, 20).unwrap().read, 10);
    assert_eq!(store.kernels().unwrap()["words-1"], 20);
    assert_eq!(store.encode(&Encoder::Words, 20).unwrap().read, 0);
}

#[test]
fn bytes_that_are_no_traces_are_read_from_the_words_again() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, 0..8);
    store.encode(&Encoder::Words, 4_096).unwrap();
    store.close().unwrap();
    let writer = rusqlite::Connection::open(folder.file()).unwrap();
    writer.execute("UPDATE vectors SET traces = x'0102' WHERE record < 5", []).unwrap();
    drop(writer);
    drop(store);
    let store = folder.open();
    let mut intake = listening(&Encoder::Words);
    assert_eq!(store.load_into(&mut intake).unwrap(), 8);
    assert_eq!(intake.anchors().collect::<Vec<_>>(), keys(0..8));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_store_that_was_read_before_judges_as_one_that_was_not(which in 0usize..3, number in 0usize..24) {
        let encoder = [Encoder::Words, Encoder::Lexis, Encoder::Ngram][which].clone();
        let (fresh, stored) = (Folder::new(), Folder::new());
        let judged = [(&fresh, false), (&stored, true)].map(|(folder, read)| {
            let store = folder.open();
            fill(&store, 0..16);
            if read {
                while store.encode(&encoder, 4_096).unwrap().read > 0 {}
            }
            let mut intake = listening(&encoder);
            store.load_into(&mut intake).unwrap();
            let newcomer = says(BOB, &format!("parser{number} drops frame{} again under load", number / 2));
            let outcome = common::hear(&mut intake, &[newcomer]).outcomes.remove(0);
            (outcome.kind, outcome.evaluation)
        });
        prop_assert_eq!(&judged[0], &judged[1]);
        prop_assert_ne!(judged[0].0, Kind::Refused);
    }
}
