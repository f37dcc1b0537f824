//! A log that was cut off anywhere, or whose last bytes are garbage, still gives a store: the first commits, whole.

mod common;

use std::fs;
use std::path::Path;

use common::{ANN, Folder, ME, NOW, crash_image, hear, key_of, node, open_minded, says};
use covey_store::{Store, StoreReason};
use proptest::prelude::*;

const COMMITS: usize = 12;
const BLOCKS: usize = 5;

fn focus(commit: usize, block: usize) -> String {
    format!("commit {commit} block {block}")
}

/// A database and its log, as a crash after the last commit would leave them.
fn image(folder: &Folder) -> Vec<u8> {
    let live = Folder::new();
    let store = live.open();
    let mut intake = open_minded();
    for commit in 0..COMMITS {
        let blocks: Vec<_> = (0..BLOCKS).map(|block| says(ANN, &focus(commit, block))).collect();
        store.commit(&[&hear(&mut intake, &blocks)], NOW).unwrap();
    }
    crash_image(&live.file(), &folder.file());
    fs::read(log_of(&folder.file())).unwrap()
}

fn log_of(path: &Path) -> std::path::PathBuf {
    path.with_file_name("store.db-wal")
}

/// How many commits a store holds; each must be whole, and none may be missing before another.
fn commits_held(store: &Store) -> usize {
    let held: Vec<usize> = (0..COMMITS)
        .map(|commit| {
            (0..BLOCKS)
                .filter(|block| store.record(key_of(&says(ANN, &focus(commit, *block)))).unwrap().is_some())
                .count()
        })
        .collect();
    let whole = held.iter().take_while(|count| **count == BLOCKS).count();
    assert!(held[whole..].iter().all(|count| *count == 0), "{held:?}");
    assert_eq!(store.inbox(0, 1_000).unwrap().len(), whole * BLOCKS);
    whole
}

fn reopen(folder: &Folder, log: &[u8]) -> usize {
    fs::write(log_of(&folder.file()), log).unwrap();
    let store = folder.open();
    assert!(store.integrity().unwrap().is_empty());
    let held = commits_held(&store);
    assert!(store.put_own(&says(ME, "life goes on"), NOW, &[]).unwrap());
    held
}

#[test]
fn the_whole_log_gives_every_commit() {
    let folder = Folder::new();
    let log = image(&folder);
    assert_eq!(reopen(&folder, &log), COMMITS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_log_cut_anywhere_gives_its_first_commits(share in 0.0..1.0_f64, garbage in prop::collection::vec(any::<u8>(), 0..64)) {
        let folder = Folder::new();
        let mut log = image(&folder);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a length")]
        let cut = (log.len() as f64 * share) as usize;
        log.truncate(cut);
        log.extend(garbage);
        let held = reopen(&folder, &log);
        prop_assert!(held <= COMMITS);
        prop_assert!(held < COMMITS || share > 0.5);
    }

    #[test]
    fn a_log_with_a_flipped_byte_gives_its_first_commits(at in any::<prop::sample::Index>(), bits in 1..=255_u8) {
        let folder = Folder::new();
        let mut log = image(&folder);
        let at = at.index(log.len());
        log[at] ^= bits;
        prop_assert!(reopen(&folder, &log) <= COMMITS);
    }
}

#[test]
fn a_log_without_its_database_is_not_taken_for_one() {
    let folder = Folder::new();
    image(&folder);
    fs::remove_file(folder.file()).unwrap();
    // SQLite drops a log whose database is gone: the store is new and empty, which is all anybody can know.
    assert_eq!(folder.open().stats().unwrap().records, 0);
}

#[test]
fn a_log_in_a_strange_place_is_an_error_and_not_a_panic() {
    let folder = Folder::new();
    folder.open().close().unwrap();
    let log = log_of(&folder.file());
    if log.exists() {
        fs::remove_file(&log).unwrap();
    }
    fs::create_dir(&log).unwrap();
    let error = Store::open(folder.file(), node(ME)).unwrap_err();
    assert!(matches!(error.reason, StoreReason::Unwritable | StoreReason::Io | StoreReason::Corrupt), "{error}");
}
