//! Rows that something else wrote are typed errors that name the row; nothing panics, nothing is believed.

mod common;

use common::{ANN, Folder, ME, NOW, Said, hear, key, key_of, node, open_minded, record, says};
use covey_store::{Filter, Store, StoreError, StoreReason};

fn tampered(statement: &str) -> (Folder, Store) {
    let folder = Folder::new();
    let store = folder.open();
    let directed = record(ANN, &Said { focus: "directed", to: Some(ME), ..Said::default() });
    let mut intake = common::closed_minded();
    store.commit(&[&hear(&mut intake, &[says(ANN, "first of all"), directed])], NOW).unwrap();
    store.put_own(&says(ME, "own"), NOW, &[node(ANN)]).unwrap();
    store.bind(node(ANN), key(ANN).public().as_bytes(), "ann", NOW).unwrap();
    store.close().unwrap();
    let connection = rusqlite::Connection::open(folder.file()).unwrap();
    assert_ne!(connection.execute(statement, []).unwrap(), 0, "{statement}");
    drop(connection);
    let store = folder.open();
    (folder, store)
}

fn refused<T: std::fmt::Debug>(what: Result<T, StoreError>, statement: &str) {
    let error = what.expect_err(statement);
    assert!(matches!(error.reason, StoreReason::MalformedRow | StoreReason::Corrupt), "{statement}: {error}");
}

#[test]
fn a_record_that_was_changed_is_no_record() {
    let changes = [
        "UPDATE records SET focus = 'first of none' WHERE own = 0",
        "UPDATE records SET mood = x'ff' || mood WHERE own = 0",
        "UPDATE records SET key = zeroblob(32) WHERE own = 0",
        "UPDATE records SET key = x'00' WHERE own = 0",
        "UPDATE records SET assertion = zeroblob(32) WHERE own = 0",
        "UPDATE records SET signature = x'00' WHERE own = 0",
        "UPDATE records SET author = 'somebody else' WHERE own = 0",
        "UPDATE records SET author_node_id = '01010101-0101-0101-0101-010101010101' WHERE own = 0",
        "UPDATE records SET author_node_id = 'ann' WHERE own = 0",
        "UPDATE records SET created_ms = created_ms + 1 WHERE own = 0",
        "UPDATE records SET created_ms = -1 WHERE own = 0",
        "UPDATE records SET room = 'elsewhere' WHERE own = 0",
        "UPDATE records SET to_node_id = author_node_id WHERE own = 0",
        "UPDATE records SET parents = zeroblob(32) WHERE own = 0",
        "UPDATE records SET parents = x'0102' WHERE own = 0",
        "UPDATE records SET evidence = '{}'",
        "UPDATE records SET evidence = 'nonsense'",
        "UPDATE records SET decision = 'splendid' WHERE own = 0",
        "UPDATE records SET lifecycle = 'canonised'",
        "UPDATE records SET stored_ms = -1",
    ];
    for change in changes {
        let (_folder, store) = tampered(change);
        refused(store.recent(10, &Filter::default()), change);
    }
}

#[test]
fn a_changed_inbox_or_decision_is_refused() {
    for change in [
        "UPDATE inbox SET evidence = '[]' WHERE directed = 1",
        "UPDATE inbox SET from_node_id = 'nobody'",
        "UPDATE inbox SET key = zeroblob(32)",
        "UPDATE inbox SET received_ms = -5",
        "DELETE FROM records WHERE own = 0",
        "UPDATE decisions SET categories = x'00'",
        "UPDATE decisions SET decision = 'perhaps'",
    ] {
        let (_folder, store) = tampered(change);
        refused(store.inbox(0, 10), change);
    }
    for change in ["UPDATE decisions SET author_node_id = ''", "UPDATE decisions SET key = x'0102'"] {
        let (_folder, store) = tampered(change);
        refused(store.decisions(10, None), change);
    }
}

#[test]
fn changed_restart_state_is_refused_and_loads_nothing() {
    for change in [
        "UPDATE bindings SET public_key = zeroblob(32)",
        "UPDATE bindings SET public_key = zeroblob(31)",
        "UPDATE bindings SET node_id = 'ann'",
        "UPDATE seen SET kind = 7",
        "UPDATE seen SET mark = x''",
        "UPDATE records SET evidence = 'nonsense'",
    ] {
        let (_folder, store) = tampered(change);
        let mut intake = open_minded();
        refused(store.load_into(&mut intake), change);
        assert_eq!(intake.anchors().count(), 0, "{change}");
    }
}

#[test]
fn changed_bookkeeping_is_refused() {
    let change = "UPDATE outbox SET node_id = 'x'";
    let (_folder, store) = tampered(change);
    refused(store.outbox(10, None), change);

    let change = "UPDATE meta SET value = 'soon' WHERE name = 'cursor'";
    let (_folder, store) = tampered(change);
    refused(store.inbox_cursor(), change);

    let change = "DELETE FROM meta WHERE name = 'cursor'";
    let (_folder, store) = tampered(change);
    refused(store.inbox_cursor(), change);
    refused(store.stats(), change);
}

#[test]
fn an_index_that_is_gone_does_not_stop_the_writer() {
    let change = "DELETE FROM recall_config";
    let (_folder, store) = tampered(change);
    refused(store.index(), change);
    refused(store.recall("own", 10), change);
    let more = says(ANN, "life goes on");
    assert_eq!(store.commit(&[&hear(&mut open_minded(), std::slice::from_ref(&more))], NOW).unwrap().stored, 1);
    assert!(store.record(key_of(&more)).unwrap().is_some());
}

#[test]
fn a_trigger_somebody_added_never_runs() {
    let folder = Folder::new();
    folder.open().close().unwrap();
    let connection = rusqlite::Connection::open(folder.file()).unwrap();
    connection.execute_batch("CREATE TRIGGER forget AFTER INSERT ON records BEGIN DELETE FROM records; END").unwrap();
    drop(connection);
    let store = folder.open();
    assert!(store.put_own(&says(ME, "kept"), NOW, &[]).unwrap());
    assert_eq!(store.stats().unwrap().records, 1);
}
