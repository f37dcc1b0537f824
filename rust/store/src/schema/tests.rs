//! The schema's steps and stamps.

use super::*;

const OURS: Stamp = Stamp { application_id: APPLICATION_ID, version: SCHEMA_VERSION };

/// A store that holds nothing, as a covey of that version made it.
fn of_version(version: i32) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for step in &STEPS[..usize::try_from(version).unwrap()] {
        connection.execute_batch(step).unwrap();
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
    connection
}

#[test]
fn stamps_are_judged() {
    assert!(check_stamp(OURS, false).is_ok());
    let blank = Stamp { application_id: 0, version: 0 };
    assert!(check_stamp(blank, true).is_ok());
    assert_eq!(check_stamp(blank, false).unwrap_err().reason, StoreReason::Foreign);
    let newer = Stamp { version: SCHEMA_VERSION + 1, ..OURS };
    let fault = check_stamp(newer, false).unwrap_err();
    assert_eq!(fault.reason, StoreReason::Newer);
    assert!(fault.detail.contains("upgrade covey"));
    let below = Stamp { version: 0, ..OURS };
    assert_eq!(check_stamp(below, false).unwrap_err().reason, StoreReason::Corrupt);
}

#[test]
fn migrating_twice_changes_nothing_and_keeps_the_owner() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, "a").unwrap();
    migrate(&mut connection, "a").unwrap();
    let (stamp, empty) = read_stamp(&connection).unwrap();
    assert_eq!((stamp, empty), (OURS, false));
    assert_eq!(migrate(&mut connection, "b").unwrap_err().reason, StoreReason::OtherPeer);
}

#[test]
fn a_store_of_the_first_version_is_numbered_in_its_order() {
    let mut connection = of_version(1);
    connection
        .execute_batch(
            "INSERT INTO meta (name, value)
               VALUES ('node_id', 'a'), ('cursor', 0), ('indexed_upto', 0), ('inbox_dropped', 0);
             INSERT INTO state VALUES ('x', x'01');
             INSERT INTO outbox (assertion, key, node_id, queued_ms, done_ms) VALUES
               (x'01', x'01', 'b', 1000, NULL), (x'02', x'02', 'c', 1000, NULL), (x'03', x'03', 'b', 2000, 5);
             INSERT INTO inbox (key, assertion, from_node_id, received_ms, ingested, directed, decision_id, proof)
               VALUES (x'04', x'04', 'b', 7, 1, 1, 1, 'signature');",
        )
        .unwrap();
    migrate(&mut connection, "a").unwrap();
    assert_eq!(read_stamp(&connection).unwrap(), (OURS, false));
    let kept: Vec<u8> = connection.query_row("SELECT value FROM state", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, [1]);
    let rows: Vec<(String, i64, i64, bool)> = connection
        .prepare("SELECT node_id, number, deadline_ms, closed FROM outbox ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let row = |who: &str, number: i64, queued: i64, closed: bool| (who.to_owned(), number, queued + 86_400_000, closed);
    assert_eq!(rows, [row("b", 1, 1000, false), row("c", 1, 1000, false), row("b", 2, 2000, true)]);
    let last: i64 =
        connection.query_row("SELECT last FROM streams_out WHERE node_id = 'b'", [], |row| row.get(0)).unwrap();
    assert_eq!(last, 2);
    let wakes: bool = connection.query_row("SELECT wakes FROM inbox", [], |row| row.get(0)).unwrap();
    assert!(!wakes, "nobody knows any more who might wake the agent then");
}

#[test]
fn a_store_of_version_9_has_its_full_text_made_anew() {
    let mut connection = of_version(9);
    connection
        .execute_batch(
            "INSERT INTO meta (name, value)
               VALUES ('node_id', 'a'), ('cursor', 0), ('indexed_upto', 7), ('inbox_dropped', 0);
             INSERT INTO records (id, key, assertion, signature, author_node_id, author, created_ms, room, parents, focus,
               issue, intent, motivation, commitment, perspective, mood, stored_ms, own, lifecycle, proof)
               VALUES (7, x'01', x'01', x'01', 'b', 'b', 1, 'r', x'', 'an old fox', '', '', '', '', '', '', 1, 0, 'observed',
                 'signature');
             INSERT INTO recall (rowid, focus) VALUES (7, 'an old fox');",
        )
        .unwrap();
    migrate(&mut connection, "a").unwrap();
    assert_eq!(read_stamp(&connection).unwrap(), (OURS, false));
    assert_eq!(crate::recall::lag(&connection).unwrap(), 7, "it says what it lacks");
    let transaction = connection.transaction().unwrap();
    crate::recall::index_slice(&transaction, 100).unwrap();
    transaction.commit().unwrap();
    assert_eq!(crate::recall::lag(&connection).unwrap(), 0);
    let numbers = |query: &str| -> Vec<i64> {
        let mut statement = connection.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(numbers("SELECT rowid FROM recall WHERE recall MATCH 'fox'"), [7]);
    let settings =
        "SELECT v FROM recall_config WHERE k IN ('automerge', 'crisismerge', 'deletemerge', 'usermerge') ORDER BY k";
    assert_eq!(numbers(settings), [16, 64, 40, 8]);
}

#[test]
fn a_missing_table_is_named() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, "a").unwrap();
    connection.execute_batch("DROP TABLE woken").unwrap();
    let fault = migrate(&mut connection, "a").unwrap_err();
    assert_eq!(fault.reason, StoreReason::Corrupt);
    assert!(fault.detail.contains("woken"));
}
