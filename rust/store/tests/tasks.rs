//! Tasks that were handed out: kept as they were written last, in their order, bounded, and there after a restart.

mod common;

use common::Folder;
use covey_store::StoreReason;
use covey_store::limits::TASK_MAX_BYTES;

fn row(id: &str, json: &str) -> (String, Vec<u8>) {
    (id.to_owned(), json.as_bytes().to_vec())
}

#[test]
fn tasks_come_back_as_they_were_written_last_and_in_their_order() {
    let folder = Folder::new();
    let store = folder.open();
    store.tasks_put(&[row("b", "1"), row("a", "2"), row("c", "3")], &[]).unwrap();
    store.tasks_put(&[row("b", "later")], &["c".to_owned(), "never".to_owned()]).unwrap();
    store.close().unwrap();
    let store = folder.open();
    assert_eq!(store.tasks().unwrap(), [row("b", "later"), row("a", "2")]);
}

#[test]
fn a_task_that_is_too_long_changes_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    store.tasks_put(&[row("a", "1")], &[]).unwrap();
    let long = ("b".to_owned(), vec![0; TASK_MAX_BYTES + 1]);
    let refused = store.tasks_put(&[row("c", "3"), long], &["a".to_owned()]).unwrap_err();
    assert_eq!(refused.reason, StoreReason::Input);
    assert_eq!(store.tasks().unwrap(), [row("a", "1")]);
}
