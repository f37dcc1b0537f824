//! A pass: what goes, in which order, in what slices, and who comes before it.

use std::path::PathBuf;

use covey_core::category::Category;
use covey_core::id::NodeId;
use covey_core::identity::SigningKey;
use covey_core::record::Draft;
use covey_core::signature::sign;

use super::*;

const ME: NodeId = NodeId::from_bytes([1; 16]);
const NOW: u64 = 1_790_000_000_000;
const ALL: usize = usize::MAX;

struct Filled(PathBuf, Store);

/// A store of so many blocks of one millisecond each, indexed.
fn filled(name: &str, blocks: u64) -> Filled {
    let path = std::env::temp_dir().join(format!("covey-forget-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let store = Store::open(path.join("store.db"), ME).unwrap();
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    for number in 0..blocks {
        let mut draft = Draft::new(ME, "me", NOW, "den").unwrap();
        draft.say(Category::Focus, &format!("fox {number}")).unwrap();
        store.put_own(&sign(draft, &key).unwrap(), NOW + number, &[]).unwrap();
    }
    while store.index().unwrap() > 0 {}
    Filled(path, store)
}

/// So many blocks, each of which answers the one before.
fn thread(blocks: usize) -> Vec<covey_core::record::Verified> {
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    let mut thread: Vec<covey_core::record::Verified> = Vec::new();
    for number in 0..blocks {
        let mut draft = Draft::new(ME, "me", NOW, "den").unwrap();
        draft.say(Category::Focus, &format!("fox {number}")).unwrap();
        if let Some(before) = thread.last() {
            draft.descend(&[before.record().metadata.key]).unwrap();
        }
        thread.push(sign(draft, &key).unwrap());
    }
    thread
}

impl Drop for Filled {
    fn drop(&mut self) {
        self.1.close().unwrap();
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

impl Filled {
    fn number(&self, query: &str) -> i64 {
        self.1.read(|view| Ok(view.query_row(query, [], |row| row.get(0))?)).unwrap()
    }
}

#[test]
fn a_slice_merges_nothing_and_the_calls_behind_it_do() {
    let old = filled("merging", 150);
    let (pieces, usual) = ("SELECT sum(segid) FROM recall_idx", "SELECT v FROM recall_config WHERE k = 'automerge'");
    let (before, set) = (old.number(pieces), old.number(usual));
    let mut pass = old.1.forgettable(NOW + 100, ALL).unwrap();
    assert_eq!(old.1.forget(&mut pass).unwrap(), FORGET_SLICE);
    assert_eq!(old.number(pieces), before, "more than four tenths are gone, and nothing was merged");
    assert!(pass.merging && !pass.is_over());
    while pass.merging {
        assert_eq!(old.1.forget(&mut pass).unwrap(), 0);
    }
    assert_ne!(old.number(pieces), before);
    assert_eq!(old.1.forget(&mut pass).unwrap(), 100 - FORGET_SLICE);
    while !pass.is_over() {
        old.1.forget(&mut pass).unwrap();
    }
    assert_eq!(old.number(usual), set, "the next blocks are merged as ever");
    assert_eq!(old.1.recall("fox", 1_000).unwrap().hits.len(), 50);
}

#[test]
fn a_slice_is_some_times_what_came_since_the_one_before() {
    let old = filled("bulk", 2_800);
    let mut pass = old.1.forgettable(NOW + 2_700, ALL).unwrap();
    let mut next = |old: &Filled| loop {
        let went = old.1.forget(&mut pass).unwrap();
        if went > 0 || pass.is_over() {
            return (went, pass.pages());
        }
    };
    assert_eq!(next(&old), (FORGET_SLICE, MERGE_PAGES));
    old.1.write(|to| Ok(to.execute_batch(&many(2_801, 2_900))?)).unwrap();
    assert_eq!(next(&old), (FORGET_SLICE, 6 * MERGE_PAGES), "what came before it decides on the next");
    assert_eq!(next(&old), (400, MERGE_PAGES), "they were a hundred");
    old.1.write(|to| Ok(to.execute_batch(&many(2_901, 4_000))?)).unwrap();
    assert_eq!(next(&old), (FORGET_SLICE, 32 * MERGE_PAGES));
    assert_eq!(next(&old), (FORGET_SLICE_MOST, MERGE_PAGES), "however many they were");
}

#[test]
fn of_new_mail_a_pass_keeps_what_shows_its_own_blocks() {
    let old = filled("mail", 100);
    let mut pass = old.1.forgettable(NOW + 90, ALL).unwrap();
    let show = |key: &str, count: u64| {
        format!(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count})
             INSERT INTO inbox (key, assertion, from_node_id, received_ms, ingested, directed, decision_id, proof)
             SELECT key, assertion, author_node_id, stored_ms, 1, 0, 0, proof FROM records, c WHERE {key}"
        )
    };
    let new = format!("{}; {}", many(101, 300), show("id > 100", 3));
    old.1.write(|to| Ok(to.execute_batch(&new)?)).unwrap();
    assert_eq!(old.1.forget(&mut pass).unwrap(), FORGET_SLICE);
    assert!(pass.mail.shown.is_empty(), "six hundred rows that are no matter of this pass");
    old.1.write(|to| Ok(to.execute_batch(&show("id IN (3, 95)", 1))?)).unwrap();
    let mut gone = FORGET_SLICE;
    while !pass.is_over() {
        gone += old.1.forget(&mut pass).unwrap();
    }
    assert_eq!((gone, pass.mail.shown.len()), (89, 1), "the third is on its list, the ninety-fifth is not");
    assert_eq!(old.number("SELECT id FROM records WHERE id <= 90"), 3);
}

#[test]
fn of_a_thread_that_came_from_its_end_what_mail_shows_late_stays() {
    let old = filled("shown", 0);
    for (number, block) in (0..).zip(thread(200).iter().rev()) {
        old.1.put_own(block, NOW + number, &[]).unwrap();
    }
    let mut pass = old.1.forgettable(NOW + 1_000, ALL).unwrap();
    assert_eq!((pass.places[0], pass.len()), (1, 200), "the newest on the list is its last");
    let shown = "INSERT INTO inbox (key, assertion, from_node_id, received_ms, ingested, directed, decision_id, proof)
                 SELECT key, assertion, author_node_id, stored_ms, 1, 0, 0, proof FROM records WHERE id = 150";
    old.1.write(|to| Ok(to.execute_batch(shown)?)).unwrap();
    let mut gone = 0;
    while !pass.is_over() {
        gone += old.1.forget(&mut pass).unwrap();
    }
    assert_eq!((gone, old.number("SELECT min(id) FROM records")), (149, 150), "with what it descends from");
}

#[test]
fn in_bulk_one_call_merges_behind_a_slice_and_else_all_do() {
    let old = filled("hurry", 1_000);
    let mut pass = old.1.forgettable(NOW + 900, ALL).unwrap();
    let mut place = 1_001;
    let mut went = Vec::new();
    while !pass.is_over() {
        went.push(old.1.forget(&mut pass).unwrap());
        if pass.at < 700 {
            // A hundred come between any two calls.
            old.1.write(|to| Ok(to.execute_batch(&many(place, place + 99))?)).unwrap();
            place += 100;
        }
    }
    assert_eq!(went.iter().sum::<usize>(), 900);
    let first = went.iter().position(|slice| *slice > FORGET_SLICE).unwrap();
    let last = went.iter().rposition(|slice| *slice > FORGET_SLICE).unwrap();
    assert!(went[first..=last].windows(2).all(|two| (two[0] > 0) != (two[1] > 0)), "in turns: {went:?}");
    assert_eq!(*went.last().unwrap(), 0, "{went:?}");
    assert!(!old.1.merge_some().unwrap(), "nothing more came, and nothing is left to be merged");
}

#[test]
fn a_commit_that_waits_comes_before_the_next_slice() {
    let old = filled("waiting", 150);
    let mut pass = old.1.forgettable(NOW + 150, ALL).unwrap();
    for name in ["one", "two"] {
        let writer = old.1.writer();
        std::thread::scope(|scope| {
            scope.spawn(|| old.1.state_put_many(&[(name, b"said")], &[]).unwrap());
            while old.1.writers_waiting() == 0 {
                std::thread::yield_now();
            }
            drop(writer);
            old.1.forget(&mut pass).unwrap();
            assert!(old.1.state_get(name).unwrap().is_some(), "it was there first");
        });
    }
    assert!(!pass.is_over());
}

#[test]
fn a_thread_that_came_from_its_end_is_found_in_two_rounds() {
    let old = filled("backwards", 0);
    let thread = thread(200);
    for (number, block) in (0..).zip(thread.iter().rev()) {
        old.1.put_own(block, NOW + number, &[]).unwrap();
    }
    let (going, _) = old.1.find_old(NOW + 1_000, ALL).unwrap();
    assert_eq!(going.order, (1..=200).collect::<Vec<i64>>(), "its end first, and all of it");
    assert!(going.looked.0 <= 3 * 200, "{}", going.looked.0);
}

#[test]
fn a_pass_finds_as_many_as_it_may_and_the_next_goes_on() {
    let old = filled("bounded", 0);
    let thread = thread(100);
    // The first half came as it was said, the other from its end.
    let (first, last) = thread.split_at(50);
    for (number, block) in (0..).zip(first.iter().chain(last.iter().rev())) {
        old.1.put_own(block, NOW + number, &[]).unwrap();
    }
    let mut gone = Vec::new();
    loop {
        let mut pass = old.1.forgettable(NOW + 1_000, 30).unwrap();
        let found = pass.len();
        while !pass.is_over() {
            old.1.forget(&mut pass).unwrap();
        }
        assert_eq!(old.number("SELECT count(*) FROM lineage WHERE parent NOT IN (SELECT key FROM records)"), 0);
        gone.push(found);
        if found < 30 {
            break;
        }
    }
    assert_eq!(gone, [30, 30, 30, 10]);
    assert_eq!(old.number("SELECT count(*) FROM records"), 0);
}

#[test]
fn of_a_block_that_many_name_no_more_children_are_looked_at_than_it_takes_to_find_one_that_stays() {
    let old = filled("named", 0);
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    let put = |text: String, at: u64, parents: &[ContentKey]| {
        let mut draft = Draft::new(ME, "me", NOW, "den").unwrap();
        draft.say(Category::Focus, &text).unwrap();
        draft.descend(parents).unwrap();
        let block = sign(draft, &key).unwrap();
        old.1.put_own(&block, at, &[]).unwrap();
        block.record().metadata.key
    };
    let parents: Vec<_> = (0..50).map(|number| put(format!("fox {number}"), NOW + number, &[])).collect();
    for number in 0..40 {
        put(format!("what was made of all of them {number}"), NOW + 1_000 + number, &parents);
    }
    let (going, _) = old.1.find_old(NOW + 500, ALL).unwrap();
    assert!(going.order.is_empty(), "something young descends from each");
    // Each is looked at in its page and once more when nothing went: of its forty children one each time.
    assert_eq!(going.looked, (100, 100));
}

#[test]
fn blocks_of_many_parents_make_a_slice_shorter() {
    let old = filled("parents", 0);
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    for number in 0..16_u64 {
        let mut draft = Draft::new(ME, "me", NOW, "den").unwrap();
        draft.say(Category::Focus, &format!("fox {number}")).unwrap();
        let parent = |at: u8| covey_core::id::ContentKey::from_bytes([at; 32]);
        draft.descend(&(0..=255).map(parent).collect::<Vec<_>>()).unwrap();
        old.1.put_own(&sign(draft, &key).unwrap(), NOW + number, &[]).unwrap();
    }
    let mut pass = old.1.forgettable(NOW + 16, ALL).unwrap();
    let mut gone = Vec::new();
    while !pass.is_over() {
        gone.push(old.1.forget(&mut pass).unwrap());
    }
    assert_eq!(gone.iter().sum::<usize>(), 16);
    assert!(gone.iter().all(|went| *went <= 4), "{gone:?}");
    assert_eq!(old.number("SELECT count(*) FROM lineage"), 0);
}

#[test]
fn a_panic_in_unsynced_work_leaves_the_next_commit_durable() {
    let old = filled("panic", 1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        old.1.write_unsynced(&mut old.1.writer(), |_| -> Result<(), Fault> { panic!("on purpose") })
    }));
    assert!(panicked.is_err());
    let mode = |writer: &mut crate::store::Writer<'_>| -> i64 {
        let connection = writer.as_ref().unwrap();
        connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(mode(&mut old.1.writer()), 2, "FULL");
}

#[test]
fn blocks_of_one_millisecond_are_found_page_by_page() {
    let old = filled("pages", 3);
    old.1.write(|to| Ok(to.execute_batch(&many(4, 2 * 1_024 + 102))?)).unwrap();
    let pass = old.1.forgettable(NOW + 2, ALL).unwrap();
    let places: Vec<i64> = (1..=2 * 1_024 + 102).filter(|place| *place != 3).rev().collect();
    assert_eq!(FORGET_LOOKED, 1_024);
    let mut found = pass.places.clone();
    found.sort_unstable_by_key(|place| std::cmp::Reverse(*place));
    assert_eq!(found, places);
}

/// Copies of the first block under other keys, at places from one to another.
fn many(first: u64, last: u64) -> String {
    format!(
        "CREATE TEMP TABLE copy AS SELECT * FROM records WHERE own = 1 LIMIT 1;
         WITH RECURSIVE place (at) AS (SELECT {first} UNION ALL SELECT at + 1 FROM place WHERE at < {last})
         INSERT INTO records SELECT at, randomblob(32), assertion, signature, author_node_id, author, created_ms, room,
           to_node_id, parents, focus, issue, intent, motivation, commitment, perspective, mood, evidence, stored_ms,
           own, decision, decision_id, lifecycle, proof, active_ms FROM place, copy;
         DROP TABLE copy;"
    )
}
