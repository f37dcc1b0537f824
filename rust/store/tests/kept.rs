//! Shared state, what an agent keeps, its diary and the log of what left: still there after a restart, within bounds.

mod common;

use common::Folder;
use covey_store::{SharedRow, StoreReason};

fn row(scope: &str, kind: u8, bytes: &[u8]) -> SharedRow {
    SharedRow { scope: scope.to_owned(), kind, bytes: bytes.to_vec() }
}

#[test]
fn shared_rows_come_back_in_order_and_a_snapshot_takes_their_place() {
    let folder = Folder::new();
    let store = folder.open();
    store.shared_write(&[], &[row("b", 1, b"1"), row("a", 1, b"2"), row("b", 2, b"3")]).unwrap();
    store.shared_write(&["b".to_owned()], &[row("b", 0, b"all")]).unwrap();
    store.shared_write(&[], &[row("b", 1, b"4")]).unwrap();
    store.close().unwrap();
    let held = folder.open().shared_load().unwrap();
    assert_eq!(held, vec![row("a", 1, b"2"), row("b", 0, b"all"), row("b", 1, b"4")]);
}

#[test]
fn a_write_that_is_refused_leaves_everything_as_it_was() {
    let folder = Folder::new();
    let store = folder.open();
    store.shared_write(&[], &[row("a", 1, b"1")]).unwrap();
    let refused = store.shared_write(&["a".to_owned()], &[row("a", 0, b"2"), row("", 1, b"3")]).unwrap_err();
    assert_eq!(refused.reason, StoreReason::Input);
    assert_eq!(store.shared_load().unwrap(), vec![row("a", 1, b"1")]);
}

#[test]
fn what_is_kept_is_replaced_and_forgotten_by_class_and_name() {
    let folder = Folder::new();
    let store = folder.open();
    store.kept_put("session", "x", b"1", 5).unwrap();
    store.kept_put("ontology", "x", b"2", 6).unwrap();
    store.kept_put("session", "x", b"3", 7).unwrap();
    let entry = |class: &str, value: &[u8], at| (class.to_owned(), "x".to_owned(), value.to_vec(), at);
    assert_eq!(store.kept().unwrap(), vec![entry("ontology", b"2", 6), entry("session", b"3", 7)]);
    assert!(store.kept_delete("session", "x").unwrap() && !store.kept_delete("session", "x").unwrap());
    assert_eq!(store.kept_put("", "x", b"", 1).unwrap_err().reason, StoreReason::Input);
}

#[test]
fn the_diary_tells_its_facts_and_pages_by_time() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.diary_facts().unwrap(), (0, None, None));
    for (at, sealed) in [(10, b"one"), (30, b"two"), (20, b"six")] {
        store.diary_add(at, sealed).unwrap();
    }
    assert_eq!(store.diary_facts().unwrap(), (3, Some(10), Some(30)));
    let page = |after, from, to| -> Vec<i64> {
        store.diary_page(after, from, to, 9).unwrap().iter().map(|line| line.id).collect()
    };
    assert_eq!((page(0, 0, 25), page(1, 0, u64::MAX), page(3, 0, 99)), (vec![1, 3], vec![2, 3], vec![]));
    assert_eq!(store.diary_add(1, &vec![0; 70_000]).unwrap_err().reason, StoreReason::Input);
}

#[test]
fn the_log_of_what_left_keeps_its_numbers() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.audit_last().unwrap(), None);
    assert_eq!(store.audit_add(5, b"a", &[1; 64]).unwrap(), 1);
    assert_eq!(store.audit_add(6, b"b", &[2; 64]).unwrap(), 2);
    let last = store.audit_last().unwrap().unwrap();
    assert_eq!((last.id, last.at_ms, last.bytes.as_slice(), last.signature.len()), (2, 6, &b"b"[..], 64));
    assert_eq!(store.audit_page(1, 9).unwrap(), vec![last]);
}
