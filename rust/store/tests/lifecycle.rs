//! How far blocks come, what forgetting leaves, what is found by more than words, and memory that is carried away.

mod common;

use common::{ANN, BOB, Folder, ME, NOW, Said, hear_at, key, key_of, node, open_minded, record, says};
use covey_core::category::Category;
use covey_core::feedback::Feedback;
use covey_core::id::ContentKey;
use covey_core::record::{Draft, Unverified, Verified};
use covey_core::signature::{sign, verify};
use covey_store::{Lifecycle, Moved, Query, Store};
use proptest::prelude::*;

fn take(store: &Store, records: &[Verified], now_ms: u64) {
    store.commit(&[&hear_at(&mut open_minded(), records, now_ms)], now_ms).unwrap();
}

fn answers(who: u8, focus: &str, parents: &[ContentKey]) -> Verified {
    record(who, &Said { focus, parents, ..Said::default() })
}

fn ground(who: u8, commitment: &str, target: ContentKey) -> Verified {
    let mut draft = Draft::new(node(who), "label", NOW, common::ROOM).unwrap();
    draft.say(Category::Intent, "ground").unwrap();
    draft.say(Category::Commitment, commitment).unwrap();
    draft.descend(&[target]).unwrap();
    sign(draft, &key(who)).unwrap()
}

fn lifecycle(store: &Store, key: ContentKey) -> Lifecycle {
    store.record(key).unwrap().unwrap().lifecycle
}

fn read_all(store: &Store) {
    store.inbox_ack(store.stats().unwrap().inbox_last).unwrap();
}

/// Does a whole pass; returns how many went.
fn forget(store: &Store, before_ms: u64) -> usize {
    let (mut pass, mut gone) = (store.forgettable(before_ms, usize::MAX).unwrap(), 0);
    while !pass.is_over() {
        gone += store.forget(&mut pass).unwrap();
    }
    gone
}

#[test]
fn only_the_table_moves_a_block_and_the_canon_needs_two_others() {
    let folder = Folder::new();
    let store = folder.open();
    let block = says(ANN, "the claim");
    let at = key_of(&block);
    take(&store, std::slice::from_ref(&block), NOW);
    let because = block.record().metadata.assertion_id;
    let moved = |to| store.move_block(at, to, node(BOB), because, NOW + 1).unwrap();
    assert_eq!(moved(Lifecycle::Canonical), Moved::Barred(Lifecycle::Observed));
    assert_eq!(moved(Lifecycle::Validated), Moved::Done(Lifecycle::Observed));
    assert_eq!(moved(Lifecycle::Validated), Moved::Already);
    // The author's own answer and a report of an outcome are no remixes by others.
    take(&store, &[answers(ANN, "mine", &[at]), ground(ANN, "verified: it held", at)], NOW + 2);
    take(&store, &[answers(BOB, "one", &[at]), answers(BOB, "two", &[at])], NOW + 3);
    assert_eq!(moved(Lifecycle::Canonical), Moved::TooFewRemixers(1));
    store.put_own(&answers(ME, "another", &[at]), NOW + 4, &[]).unwrap();
    assert_eq!(moved(Lifecycle::Canonical), Moved::Done(Lifecycle::Validated));
    assert_eq!(lifecycle(&store, at), Lifecycle::Canonical);
    let steps = store.moves(Some(at), 10).unwrap();
    assert_eq!(steps.iter().map(|step| step.to).collect::<Vec<_>>(), [Lifecycle::Canonical, Lifecycle::Validated]);
    assert_eq!((steps[0].by, steps[0].because), (node(BOB), because));
    assert_eq!(moved(Lifecycle::Dismissed), Moved::Done(Lifecycle::Canonical));
    take(&store, &[answers(BOB, "three", &[at])], NOW + 5);
    assert_eq!(lifecycle(&store, at), Lifecycle::Dismissed);
    let unknown = ContentKey::from_bytes([9; 32]);
    assert_eq!(store.move_block(unknown, Lifecycle::Validated, node(BOB), because, NOW).unwrap(), Moved::NotHeld);
}

#[test]
fn silence_archives_and_a_remix_brings_back_but_never_the_canon() {
    let folder = Folder::new();
    let store = folder.open();
    let (quiet, lively, stood) = (says(ANN, "quiet"), says(ANN, "lively"), says(ANN, "stood behind"));
    take(&store, &[quiet.clone(), lively.clone(), stood.clone()], NOW);
    let because = stood.record().metadata.assertion_id;
    take(&store, &[answers(BOB, "a", &[key_of(&stood)]), answers(BOB, "b", &[key_of(&lively)])], NOW + 1_000);
    store.put_own(&answers(ME, "c", &[key_of(&stood)]), NOW + 1_000, &[]).unwrap();
    for to in [Lifecycle::Validated, Lifecycle::Canonical] {
        store.move_block(key_of(&stood), to, node(ANN), because, NOW + 1).unwrap();
    }
    assert_eq!(store.idle(NOW + 500).unwrap(), 1);
    assert_eq!(store.archive_idle(NOW + 500).unwrap(), 1);
    assert_eq!(store.archive_idle(NOW + 500).unwrap(), 0);
    assert_eq!(lifecycle(&store, key_of(&quiet)), Lifecycle::Archived);
    assert_eq!(lifecycle(&store, key_of(&lively)), Lifecycle::Remixed);
    while store.archive_idle(NOW + 1_000_000).unwrap() > 0 {}
    assert_eq!(lifecycle(&store, key_of(&stood)), Lifecycle::Canonical);
    take(&store, &[answers(BOB, "again", &[key_of(&quiet)])], NOW + 2_000_000);
    assert_eq!(lifecycle(&store, key_of(&quiet)), Lifecycle::Remixed);
    assert_eq!(store.idle(NOW + 1_500_000).unwrap(), 0);
}

#[test]
fn what_is_needed_stays_and_what_went_is_gone_from_everything() {
    let folder = Folder::new();
    let store = folder.open();
    let root = says(ANN, "old root of something new");
    let (alone, pair) = (says(ANN, "old and alone"), says(ANN, "old pair"));
    let pair_child = answers(BOB, "old answer", &[key_of(&pair)]);
    let by_category = record(BOB, &Said { focus: "new", category_parents: &[key_of(&root)], ..Said::default() });
    let stood = says(ANN, "old and validated");
    take(&store, &[root.clone(), alone.clone(), pair.clone(), pair_child.clone(), stood.clone()], NOW);
    let because = stood.record().metadata.assertion_id;
    store.move_block(key_of(&stood), Lifecycle::Validated, node(ANN), because, NOW).unwrap();
    take(&store, &[by_category], NOW + 1_000);
    while store.index().unwrap() > 0 {}
    assert!(store.forgettable(NOW + 500, usize::MAX).unwrap().is_empty(), "the inbox still shows them");
    read_all(&store);
    let all = Query { own: Some(false), ..Query::default() };
    assert_eq!(store.find(&all, 10).unwrap().hits.len(), 6);
    // What was read is kept for a look back too: only another inbox forgets it.
    assert!(store.forgettable(NOW + 500, usize::MAX).unwrap().is_empty());

    let image = Folder::new();
    let other = image.open();
    other.carry_in(&[&root, &alone, &pair, &pair_child, &stood], NOW).unwrap();
    other.move_block(key_of(&stood), Lifecycle::Validated, node(ANN), because, NOW).unwrap();
    other
        .carry_in(
            &[&record(BOB, &Said { focus: "new", category_parents: &[key_of(&root)], ..Said::default() })],
            NOW + 1_000,
        )
        .unwrap();
    while other.index().unwrap() > 0 {}
    assert_eq!(other.forgettable(NOW + 500, usize::MAX).unwrap().len(), 3);
    assert_eq!(forget(&other, NOW + 500), 3);
    for gone in [&alone, &pair, &pair_child] {
        assert_eq!(other.record(key_of(gone)).unwrap(), None);
        assert!(other.children(key_of(gone)).unwrap().is_empty());
    }
    assert!(other.recall("alone", 10).unwrap().hits.is_empty());
    assert_eq!(other.recall("old", 10).unwrap().hits.len(), 2);
    assert!(other.record(key_of(&root)).unwrap().is_some() && other.record(key_of(&stood)).unwrap().is_some());
    assert!(other.integrity().unwrap().is_empty());
}

#[test]
fn a_slice_of_archiving_is_some_times_what_came_since_the_one_before() {
    let folder = Folder::new();
    let store = folder.open();
    let blocks: Vec<Verified> = (0..4_100).map(|at| says(ME, &format!("block {at}"))).collect();
    let carry = |blocks: &[Verified], at: u64| store.carry_in(&blocks.iter().collect::<Vec<_>>(), at).unwrap();
    carry(&blocks[..3_000], NOW);
    assert_eq!(store.archive_idle(NOW + 500).unwrap(), 256, "nothing came");
    carry(&blocks[3_000..3_100], NOW + 1_000);
    assert_eq!(store.archive_idle(NOW + 500).unwrap(), 400);
    carry(&blocks[3_100..3_700], NOW + 1_000);
    assert_eq!(store.archive_idle(NOW + 500).unwrap(), 2_048, "however many they were");
    assert_eq!(store.archive_idle(NOW + 500).unwrap(), 256, "none since");
    assert_eq!(store.archive_idle(NOW + 500).unwrap(), 40, "what is left");
    assert_eq!(store.archive_idle(NOW + 500).unwrap(), 0);
    carry(&blocks[3_700..], NOW + 1_000);
    assert_eq!(store.archive_idle(NOW + 2_000).unwrap(), 256, "a pass begins: what came between two is nothing to it");
}

#[test]
fn what_mail_came_to_show_during_a_pass_stays() {
    let folder = Folder::new();
    let store = folder.open();
    let blocks: Vec<Verified> = (0..200).map(|at| says(ME, &format!("block {at}"))).collect();
    store.carry_in(&blocks.iter().collect::<Vec<_>>(), NOW).unwrap();
    let mut pass = store.forgettable(NOW + 500, usize::MAX).unwrap();
    assert_eq!(pass.len(), 200);
    let show = |place: &str, at: usize| {
        let from = "FROM records WHERE key = ?1";
        let row = match place {
            "inbox" => format!(
                "INSERT INTO inbox (key, assertion, from_node_id, received_ms, ingested, directed, decision_id, proof)
                 SELECT key, assertion, author_node_id, stored_ms, 1, 0, 0, proof {from}"
            ),
            _ => format!(
                "INSERT INTO outbox (assertion, key, node_id, queued_ms, number)
                 SELECT assertion, key, author_node_id, stored_ms, id {from}"
            ),
        };
        let other = rusqlite::Connection::open(folder.file()).unwrap();
        assert_eq!(other.execute(&row, [key_of(&blocks[at]).as_bytes()]).unwrap(), 1);
    };
    // The last stored go first: these have their turn in the first slice, and in the last.
    show("inbox", 199);
    show("inbox", 190);
    let mut gone = store.forget(&mut pass).unwrap();
    show("inbox", 3);
    show("outbox", 2);
    while !pass.is_over() {
        gone += store.forget(&mut pass).unwrap();
    }
    assert_eq!(gone, 196);
    let held = |at: &usize| store.record(key_of(&blocks[*at])).unwrap().is_some();
    assert_eq!((0..200).filter(held).collect::<Vec<_>>(), [2, 3, 190, 199]);
}

#[test]
fn a_block_that_took_the_place_of_a_forgotten_one_is_looked_at_by_itself() {
    let folder = Folder::new();
    let store = folder.open();
    let (first, second) = (says(ANN, "first of all"), says(ANN, "second of all"));
    store.carry_in(&[&first, &second], NOW).unwrap();
    let mut pass = store.forgettable(NOW + 500, usize::MAX).unwrap();
    assert_eq!(forget(&store, NOW + 500), 2, "another pass was quicker");
    let third = says(ANN, "third of all");
    take(&store, std::slice::from_ref(&third), NOW + 1);
    assert_eq!(store.forget(&mut pass).unwrap(), 0, "the inbox shows it");
    assert!(pass.is_over() && store.record(key_of(&third)).unwrap().is_some());
}

#[test]
fn the_index_of_full_text_grows_with_what_is_held_and_not_with_what_passed_through() {
    let folder = Folder::new();
    let store = folder.open();
    let look = rusqlite::Connection::open(folder.file()).unwrap();
    let mut sizes = Vec::new();
    for day in 1..=20 {
        let blocks: Vec<Verified> = (0..100).map(|at| says(ANN, &format!("fox {at} of day {day}"))).collect();
        store.carry_in(&blocks.iter().collect::<Vec<_>>(), NOW + day).unwrap();
        while store.index().unwrap() > 0 {}
        forget(&store, (NOW + day).saturating_sub(3));
        let size: i64 = look.query_row("SELECT sum(length(block)) FROM recall_data", [], |row| row.get(0)).unwrap();
        sizes.push(size);
    }
    assert_eq!(store.recall("fox", 1_000).unwrap().hits.len(), 400);
    let (full, all) = (sizes[4], sizes.iter().max().unwrap());
    assert!(*all <= 3 * full, "{sizes:?}");
}

#[test]
fn what_comes_after_the_newest_were_forgotten_is_found_and_acted_upon() {
    let folder = Folder::new();
    let store = folder.open();
    let (first, second) = (says(ANN, "first of all"), says(ANN, "second of all"));
    store.carry_in(&[&first, &second, &ground(BOB, "verified: it held", key_of(&first))], NOW).unwrap();
    while store.index().unwrap() > 0 {}
    store.feedback_done(3).unwrap();
    assert_eq!(forget(&store, NOW + 1), 3);
    assert_eq!(store.feedback_cursor().unwrap(), 0);
    let third = says(ANN, "third of all");
    store.carry_in(&[&third, &ground(BOB, "failed: it did not", key_of(&third))], NOW + 2).unwrap();
    assert_eq!(store.stats().unwrap().recall_lag, 2, "they stand where others stood");
    assert_eq!(store.recall("third", 10).unwrap().hits.len(), 1);
    assert_eq!(store.feedback_after(store.feedback_cursor().unwrap(), 10).unwrap().len(), 1);
}

#[test]
fn what_blocks_say_of_others_is_found_by_whom_they_speak_of() {
    let folder = Folder::new();
    let store = folder.open();
    let mine = says(ME, "my claim");
    store.put_own(&mine, NOW, &[]).unwrap();
    let at = key_of(&mine);
    let reports = [ground(ANN, "verified: ok", at), ground(BOB, "failed: no", at), ground(BOB, "so what", at)];
    take(&store, &reports, NOW + 1);
    let found = store.feedback_of(at, 10).unwrap();
    assert_eq!(found.iter().map(|row| row.kind).collect::<Vec<_>>(), [Feedback::Failed, Feedback::Verified]);
    assert_eq!((found[0].author, found[0].target, found[0].words.as_str()), (node(BOB), at, "failed: no"));
    assert_eq!(store.feedback_for_own(common::ROOM, 10).unwrap(), found);
    assert!(store.feedback_for_own("elsewhere", 10).unwrap().is_empty());
    assert_eq!(store.feedback_cursor().unwrap(), 0);
    let after = store.feedback_after(0, 10).unwrap();
    assert_eq!(after.len(), 2);
    store.feedback_done(after[0].seq).unwrap();
    store.feedback_done(0).unwrap();
    assert_eq!(store.feedback_after(store.feedback_cursor().unwrap(), 10).unwrap(), after[1..]);
}

#[test]
fn memory_is_found_by_category_author_time_lineage_and_lifecycle() {
    let folder = Folder::new();
    let store = folder.open();
    let root = says(ANN, "deploy the parser");
    let child = answers(BOB, "parser deploy is late", &[key_of(&root)]);
    let grandchild = answers(ANN, "late parser moved", &[key_of(&child)]);
    let calm = record(BOB, &Said { focus: "elsewhere", mood: "the parser calms me", ..Said::default() });
    for (at, each) in [&root, &child, &grandchild, &calm].into_iter().enumerate() {
        take(&store, std::slice::from_ref(each), NOW + 10 * at as u64);
    }
    while store.index().unwrap() > 0 {}
    let keys = |query: &Query| {
        store.find(query, 10).unwrap().hits.iter().map(|hit| hit.categories[0].clone()).collect::<Vec<_>>()
    };
    let text = |text: &str| Query { text: text.to_owned(), ..Query::default() };
    let (a, b, c, d) = ("deploy the parser", "parser deploy is late", "late parser moved", "elsewhere");
    assert_eq!(keys(&Query { category: Some(Category::Mood), ..text("parser") }), [d]);
    assert_eq!(keys(&Query { category: Some(Category::Mood), ..Query::default() }), [d]);
    assert_eq!(keys(&Query { author: Some(node(ANN)), ..Query::default() }), [c, a]);
    assert_eq!(keys(&Query { label: Some("nobody".to_owned()), ..Query::default() }), [""; 0]);
    let mut late = keys(&Query { author: Some(node(BOB)), ..text("late") });
    late.sort();
    assert_eq!(late, [b]);
    assert_eq!(keys(&Query { from_ms: Some(NOW + 10), to_ms: Some(NOW + 30), ..Query::default() }), [c, b]);
    assert_eq!(keys(&Query { below: Some(key_of(&root)), ..Query::default() }), [c, b]);
    assert_eq!(keys(&Query { above: Some(key_of(&grandchild)), ..Query::default() }), [b, a]);
    let between = Query { below: Some(key_of(&root)), above: Some(key_of(&grandchild)), ..Query::default() };
    assert_eq!(keys(&between), [b]);
    assert_eq!(keys(&Query { below: Some(key_of(&root)), ..text("moved") }), [c]);
    assert_eq!(keys(&Query { lifecycle: Some(Lifecycle::Remixed), ..Query::default() }), [b, a]);
    assert_eq!(keys(&Query { own: Some(true), ..Query::default() }), [""; 0]);
    assert_eq!(keys(&Query { room: Some("elsewhere".to_owned()), ..Query::default() }), [""; 0]);
    // Words are words, whatever they look like.
    assert_eq!(keys(&Query { own: Some(false), ..text("focus : parser OR *") }), [""; 0]);
}

#[test]
fn what_is_carried_away_is_what_was_signed_and_comes_back_once() {
    let folder = Folder::new();
    let store = folder.open();
    let root = says(ANN, "root");
    take(&store, &[root.clone(), answers(BOB, "child", &[key_of(&root)])], NOW);
    let out = store.carry_out(0, 10).unwrap();
    assert_eq!(out.len(), 2);
    assert_eq!((out[0].lifecycle.as_str(), out[0].stored_ms), ("remixed", NOW));
    assert!(store.carry_out(out[1].seq, 10).unwrap().is_empty());

    let there = Folder::new();
    let other = there.open();
    let read = |at: usize, who: u8| verify(Unverified::parse(&out[at].json).unwrap(), key(who).public()).unwrap();
    let (first, second) = (read(0, ANN), read(1, BOB));
    assert_eq!(other.carry_in(&[&second, &first, &second], NOW + 9).unwrap(), [true, true, false]);
    let held = other.record(key_of(&root)).unwrap().unwrap();
    assert_eq!((held.lifecycle, held.stored_ms, held.own), (Lifecycle::Remixed, NOW + 9, false));
    let mut intake = open_minded();
    other.load_into(&mut intake).unwrap();
    let again = hear_at(&mut intake, &[root], NOW + 10);
    assert_eq!(again.count(covey_core::intake::Kind::Duplicate), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Over any lineage: what stays reaches only what stays, nothing validated goes, and what could go went.
    #[test]
    fn forgetting_leaves_no_hole(edges in prop::collection::vec((0..12_usize, 0..12_usize), 0..24),
                                 validated in prop::collection::vec(any::<bool>(), 12), cut in 0..13_u64) {
        let folder = Folder::new();
        let store = folder.open();
        let mut blocks: Vec<Verified> = Vec::new();
        for at in 0..12_usize {
            let parents: Vec<ContentKey> = edges.iter()
                .filter(|(child, parent)| *child == at && *parent < at)
                .map(|(_, parent)| key_of(&blocks[*parent])).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
            blocks.push(answers(ANN, &format!("block {at}"), &parents));
            store.carry_in(&[&blocks[at]], NOW + at as u64).unwrap();
            if validated[at] {
                let because = blocks[at].record().metadata.assertion_id;
                store.move_block(key_of(&blocks[at]), Lifecycle::Validated, node(ANN), because, NOW).unwrap();
            }
        }
        forget(&store, NOW + cut);
        let held: Vec<bool> = blocks.iter().map(|block| store.record(key_of(block)).unwrap().is_some()).collect();
        for (at, block) in blocks.iter().enumerate() {
            let stays = validated[at] || at as u64 >= cut;
            prop_assert!(held[at] || !stays);
            let needed = (0..12).any(|child| held[child] && edges.contains(&(child, at)) && at < child);
            prop_assert_eq!(held[at], stays || needed, "block {}", at);
            if held[at] {
                for parent in &block.record().metadata.parents {
                    prop_assert!(store.record(*parent).unwrap().is_some());
                }
            }
        }
    }
}
