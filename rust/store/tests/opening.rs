//! What cannot be opened is refused with the file and the reason, and stays as it was.

mod common;

use std::fs;
use std::path::Path;

use common::{ANN, Folder, ME, NOW, node, says};
use covey_store::{SCHEMA_VERSION, Store, StoreError, StoreReason};

fn refusal(path: &Path) -> StoreError {
    let error = Store::open(path, node(ME)).expect_err("this file must be refused");
    assert_eq!(error.path, path);
    assert!(error.to_string().contains(&path.display().to_string()));
    error
}

/// Every file of a folder, with its bytes.
fn snapshot(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

fn sqlite(path: &Path, statements: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(statements).unwrap();
}

#[test]
fn a_new_store_is_made_and_opens_again() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.stats().unwrap().schema_version, SCHEMA_VERSION);
    store.close().unwrap();
    store.close().unwrap();
    assert_eq!(store.stats().unwrap_err().reason, StoreReason::Closed);
    assert!(folder.open().integrity().unwrap().is_empty());
}

#[test]
fn the_list_of_what_is_linked_names_the_sqlite_that_is() {
    let version = rusqlite::version();
    let list = include_str!("../sqlite.cdx.json");
    for said in [
        format!("\"version\": \"{version}\""),
        format!("\"purl\": \"pkg:generic/sqlite@{version}\""),
        format!("cpe:2.3:a:sqlite:sqlite:{version}:"),
    ] {
        assert!(list.contains(&said), "rust/store/sqlite.cdx.json lacks {said}");
    }
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let store = folder.open();
    store.put_own(&says(ME, "private"), NOW, &[]).unwrap();
    for name in ["store.db", "store.db-wal", "store.db.lock"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[test]
fn what_is_no_database_stays_as_it_was() {
    let contents: [&[u8]; 4] =
        [b"hello", &[0; 4096], b"SQLite format 3\0", b"SQLite format 4\0 and more, up to a hundred"];
    for content in contents {
        let folder = Folder::new();
        fs::write(folder.file(), content).unwrap();
        let before = snapshot(folder.path());
        assert_eq!(refusal(&folder.file()).reason, StoreReason::NotADatabase);
        assert_eq!(snapshot(folder.path()), before);
    }
}

#[test]
fn a_database_of_another_program_stays_as_it_was() {
    for mode in ["DELETE", "WAL"] {
        let folder = Folder::new();
        sqlite(&folder.file(), &format!("PRAGMA journal_mode = {mode}; CREATE TABLE notes (id INTEGER)"));
        let before = fs::read(folder.file()).unwrap();
        assert_eq!(refusal(&folder.file()).reason, StoreReason::Foreign);
        assert_eq!(fs::read(folder.file()).unwrap(), before, "{mode}");
    }
}

#[test]
fn a_newer_store_is_refused_with_the_next_step() {
    let folder = Folder::new();
    folder.open().close().unwrap();
    sqlite(&folder.file(), &format!("PRAGMA user_version = {}", SCHEMA_VERSION + 1));
    let before = fs::read(folder.file()).unwrap();
    let error = refusal(&folder.file());
    assert_eq!(error.reason, StoreReason::Newer);
    assert!(error.detail.contains("upgrade covey"), "{}", error.detail);
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}

#[test]
fn a_newer_store_that_crashed_is_refused_and_keeps_its_log() {
    let folder = Folder::new();
    let store = folder.open();
    store.put_own(&says(ME, "one"), NOW, &[]).unwrap();
    let other = Folder::new();
    store.close().unwrap();
    let writer = rusqlite::Connection::open(folder.file()).unwrap();
    writer.execute_batch(&format!("PRAGMA user_version = {}", SCHEMA_VERSION + 1)).unwrap();
    common::crash_image(&folder.file(), &other.file());
    let before: Vec<_> = ["store.db", "store.db-wal"].map(|name| fs::read(other.path().join(name)).unwrap()).into();
    assert!(!before[1].is_empty());
    assert_eq!(refusal(&other.file()).reason, StoreReason::Newer);
    let after: Vec<_> = ["store.db", "store.db-wal"].map(|name| fs::read(other.path().join(name)).unwrap()).into();
    assert_eq!(after, before);
}

#[test]
fn a_store_belongs_to_one_peer() {
    let folder = Folder::new();
    folder.open().close().unwrap();
    let error = Store::open(folder.file(), node(ANN)).unwrap_err();
    assert_eq!(error.reason, StoreReason::OtherPeer);
    assert!(error.detail.contains(&node(ME).to_string()));
}

#[test]
fn a_second_opener_is_told_so_and_the_first_goes_on() {
    let folder = Folder::new();
    let first = folder.open();
    let error = refusal(&folder.file());
    assert_eq!(error.reason, StoreReason::Locked);
    assert!(error.detail.contains("stop it first"), "{}", error.detail);
    assert!(first.put_own(&says(ME, "still here"), NOW, &[]).unwrap());
    drop(first);
    assert_eq!(folder.open().stats().unwrap().own, 1);
}

#[test]
fn a_place_that_cannot_hold_a_store_is_named() {
    let folder = Folder::new();
    let missing = folder.path().join("absent/store.db");
    let error = refusal(&missing);
    assert_eq!(error.reason, StoreReason::Unwritable);
    assert!(error.detail.contains("no such folder"), "{}", error.detail);
    assert!(!missing.parent().unwrap().exists());

    assert_eq!(refusal(folder.path()).reason, StoreReason::Unwritable);

    fs::write(folder.file(), b"").unwrap();
    assert_eq!(refusal(&folder.file().join("store.db")).reason, StoreReason::Unwritable);
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_place_is_refused() {
    // Nobody, root included, may make a file there.
    let error = refusal(Path::new("/proc/store.db"));
    assert!(matches!(error.reason, StoreReason::Unwritable), "{error}");
}

#[test]
fn a_damaged_header_or_page_is_refused_without_a_panic() {
    let folder = Folder::new();
    let store = folder.open();
    for number in 0..50 {
        store.put_own(&says(ME, &format!("block {number}")), NOW, &[]).unwrap();
    }
    store.close().unwrap();
    let whole = fs::read(folder.file()).unwrap();
    for at in (0..whole.len().min(20_000)).step_by(61) {
        let mut damaged = whole.clone();
        for byte in &mut damaged[at..(at + 16).min(whole.len())] {
            *byte ^= 0xA5;
        }
        fs::write(folder.file(), &damaged).unwrap();
        // Damage in unused space changes nothing; anywhere else it is an error or shows in what is read.
        if let Ok(store) = Store::open(folder.file(), node(ME)) {
            let _read = store.recent(100, &covey_store::Filter::default()).map(|records| records.len());
            let _checked = store.integrity();
        } else if at < 16 {
            assert_eq!(refusal(&folder.file()).reason, StoreReason::NotADatabase);
        }
    }
}

#[test]
fn a_file_cut_short_is_refused_or_opens_without_a_panic() {
    let folder = Folder::new();
    let store = folder.open();
    store.put_own(&says(ME, "whole"), NOW, &[]).unwrap();
    store.close().unwrap();
    let whole = fs::read(folder.file()).unwrap();
    for length in [1, 15, 99, 100, 512, 4096, 8192, whole.len() - 1] {
        fs::write(folder.file(), &whole[..length]).unwrap();
        let error = refusal(&folder.file());
        assert!(
            matches!(error.reason, StoreReason::NotADatabase | StoreReason::Corrupt | StoreReason::Io),
            "{length}: {error}"
        );
        assert_eq!(fs::read(folder.file()).unwrap(), &whole[..length]);
    }
}

#[test]
fn an_empty_file_becomes_a_store() {
    let folder = Folder::new();
    fs::write(folder.file(), b"").unwrap();
    assert_eq!(folder.open().stats().unwrap().records, 0);
}
