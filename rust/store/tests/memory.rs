//! What is stored is whole, found again, and still there after a restart.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::{
    ANN, BOB, Folder, ME, NOW, ROOM, Said, closed_minded, hear, hear_at, key, key_of, node, open_minded, record, says,
};
use covey_core::category::Category;
use covey_core::id::ContentKey;
use covey_core::intake::Kind;
use covey_core::record::{Application, Draft, Proof, Unverified};
use covey_core::signature::{attribute, sign, verify};
use covey_core::svaf::Evaluation;
use covey_store::{Bound, Filter, Judgement, Lifecycle, RECORD_LEVEL, StoreReason};

fn judged(held: Option<&Judgement>) -> Option<Evaluation> {
    held.map(|judgement| judgement.evaluation)
}

#[test]
fn an_admission_keeps_the_whole_record() {
    let folder = Folder::new();
    let store = folder.open();
    let parent = says(ANN, "the parent");
    let said = Said { focus: "seven categories", mood: "calm", parents: &[key_of(&parent)], ..Said::default() };
    let heard = record(ANN, &said);
    let batch = hear_at(&mut open_minded(), std::slice::from_ref(&heard), NOW + 9);
    let report = store.commit(&[&batch], NOW + 10).unwrap();
    assert_eq!((report.stored, report.decisions, report.inbox.as_slice()), (1, 1, &[(0, 0, 1)][..]));

    let held = store.record(key_of(&heard)).unwrap().unwrap();
    let metadata = &heard.record().metadata;
    assert_eq!(held.categories.each_ref().map(String::as_str), heard.record().texts());
    assert_eq!((held.assertion_id, held.node_id, held.author.as_str()), (metadata.assertion_id, node(ANN), "label"));
    assert_eq!((held.created_ms, held.stored_ms, held.own), (NOW, NOW + 9, false));
    assert_eq!(held.decision.map(covey_core::svaf::Decision::as_str), Some("aligned"));
    assert_eq!(held.parents, vec![key_of(&parent)]);

    // The evidence is still a signed record: it verifies under its author's key.
    let json = store.record_json(key_of(&heard)).unwrap().unwrap();
    assert_eq!(json, heard.record().to_json());
    assert!(verify(Unverified::parse(&json).unwrap(), key(ANN).public()).is_ok());
}

#[test]
fn what_columns_cannot_say_is_kept_to_the_byte() {
    let folder = Folder::new();
    let store = folder.open();
    let mut draft = Draft::new(node(ANN), "Zoë", NOW, "den").unwrap();
    draft.say(Category::Intent, "carry \"bytes\"\n\u{1F98A}").unwrap();
    draft.descend_category(Category::Mood, &[key_of(&says(BOB, "mood's parent"))]).unwrap();
    draft.carry(Application::new("application/octet-stream", "urn:covey:test", vec![0, 255, 7]).unwrap());
    let heard = sign(draft, &key(ANN)).unwrap();
    store.commit(&[&hear(&mut open_minded(), std::slice::from_ref(&heard))], NOW).unwrap();
    assert_eq!(store.record_json(key_of(&heard)).unwrap().unwrap(), heard.record().to_json());
    assert_eq!(store.parents(key_of(&heard)).unwrap()[0].levels, 1 << Category::Mood.index());
}

#[test]
fn a_decision_keeps_what_it_rests_on_and_is_found_by_its_first_digits() {
    let folder = Folder::new();
    let store = folder.open();
    let batch = hear(&mut open_minded(), &[says(ANN, "the parser"), says(ANN, "the parser drops frames")]);
    store.commit(&[&batch], NOW).unwrap();
    let (first, second) = (batch.outcomes[0].key(), &batch.outcomes[1]);
    let rows = store.decisions(10, Some(second.key())).unwrap();
    let basis = rows[0].basis.as_ref().unwrap();
    assert_eq!(Some(basis), second.basis.as_deref());
    assert_eq!(basis.nearest[0], Some(first));

    let digits = first.to_string().trim_start_matches("cmb-").to_owned();
    for length in [1, 7, 8, 64] {
        assert!(store.keys_from(&digits[..length]).unwrap().contains(&first), "{length} digits");
    }
    assert_eq!(store.keys_from(&digits).unwrap(), [first]);
    for wrong in ["", "xyz", "cmb-", &"0".repeat(65), "é"] {
        assert_eq!(store.keys_from(wrong).unwrap_err().reason, StoreReason::Input, "{wrong}");
    }
}

#[test]
fn what_memory_refuses_is_decided_and_not_stored() {
    let folder = Folder::new();
    let store = folder.open();
    let mut intake = closed_minded();
    let batch = hear(&mut intake, &[says(ANN, "first of all"), says(ANN, "for you alone")]);
    assert_eq!((batch.count(Kind::Admitted), batch.count(Kind::Rejected)), (1, 1));
    let report = store.commit(&[&batch], NOW).unwrap();
    assert_eq!((report.stored, report.decisions, report.inbox.len()), (1, 2, 1));
    let rejected = &batch.outcomes[1];
    assert_eq!(store.record(rejected.key()).unwrap(), None);
    let rows = store.decisions(10, Some(rejected.key())).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].kind.as_str(), judged(rows[0].judgement.as_ref())), ("rejected", rejected.evaluation));
    assert_eq!((rows[0].author_node_id, rows[0].from_node_id), (node(ANN), node(ANN)));
}

#[test]
fn a_refusal_keeps_what_was_claimed_and_why() {
    let folder = Folder::new();
    let store = folder.open();
    let forged = common::forged(&says(ANN, "forged"));
    let claimed = forged.metadata.key;
    let batch =
        open_minded().evaluate(covey_core::record::Batch(vec![Unverified::distrust(forged)]), node(BOB), NOW).unwrap();
    let report = store.commit(&[&batch], NOW).unwrap();
    assert_eq!((report.stored, report.decisions, report.inbox.len()), (0, 1, 0));
    let rows = store.decisions(10, Some(claimed)).unwrap();
    assert_eq!(rows[0].refusal.as_ref().map(|(reason, _)| reason.as_str()), Some("bad_signature"));
    assert_eq!((rows[0].kind.as_str(), rows[0].from_node_id, &rows[0].judgement), ("refused", node(BOB), &None));
    assert_eq!(store.stats().unwrap().seen, 0);
}

#[test]
fn a_directed_block_that_memory_refuses_waits_in_the_inbox() {
    let folder = Folder::new();
    let store = folder.open();
    let mut intake = closed_minded();
    let directed = record(ANN, &Said { focus: "for you alone", to: Some(ME), ..Said::default() });
    let batch = hear(&mut intake, &[says(ANN, "first of all"), directed.clone()]);
    assert_eq!(batch.outcomes[1].kind, Kind::Rejected);
    store.commit(&[&batch], NOW + 5).unwrap();
    store.close().unwrap();

    let store = folder.open();
    assert_eq!(store.record(key_of(&directed)).unwrap(), None);
    let rows = store.inbox(0, 10).unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.seq, row.ingested, row.directed)).collect::<Vec<_>>(),
        [(1, true, false), (2, false, true)]
    );
    let waiting = &rows[1];
    assert_eq!(waiting.record.key, key_of(&directed));
    assert_eq!(waiting.record.categories[0], "for you alone");
    assert_eq!((waiting.from_node_id, waiting.received_ms), (node(ANN), NOW + 5));
    assert_eq!(judged(waiting.judgement.as_ref()), batch.outcomes[1].evaluation);
    assert_eq!(waiting.judgement.as_ref().map(|held| &held.gate), Some(&batch.gate));
    assert!(store.recall("alone", 10).unwrap().hits.is_empty());
}

#[test]
fn what_was_held_before_is_not_delivered_again() {
    let folder = Folder::new();
    let store = folder.open();
    let directed = record(ANN, &Said { focus: "once", to: Some(ME), ..Said::default() });
    let open = says(ANN, "also once");
    let blocks = [directed, open];
    let first = store.commit(&[&hear(&mut open_minded(), &blocks)], NOW).unwrap();
    assert_eq!((first.inbox.len(), first.held.len()), (2, 0));
    // An intake that has forgotten everything judges them anew; the store has not forgotten.
    let again = store.commit(&[&hear(&mut open_minded(), &blocks)], NOW).unwrap();
    assert_eq!((again.stored, again.inbox.len(), again.held), (0, 0, vec![(0, 0), (0, 1)]));
    assert_eq!(store.stats().unwrap().inbox_last, 2);
}

#[test]
fn a_directed_copy_of_known_words_is_delivered_with_its_own_evidence() {
    let folder = Folder::new();
    let store = folder.open();
    let mut intake = open_minded();
    let open = says(ANN, "the same words");
    let directed = record(BOB, &Said { focus: "the same words", to: Some(ME), ..Said::default() });
    assert_eq!(key_of(&open), key_of(&directed));
    store.commit(&[&hear(&mut intake, &[open]), &hear(&mut intake, std::slice::from_ref(&directed))], NOW).unwrap();
    let rows = store.inbox(0, 10).unwrap();
    assert_eq!(rows.iter().map(|row| row.record.node_id).collect::<Vec<_>>(), [node(ANN), node(BOB)]);
    assert_eq!(rows[1].record.assertion_id, directed.record().metadata.assertion_id);
}

#[test]
fn the_inbox_cursor_moves_forward_only() {
    let folder = Folder::new();
    let store = folder.open();
    let blocks: Vec<_> = (0..5).map(|number| says(ANN, &format!("block {number}"))).collect();
    store.commit(&[&hear(&mut open_minded(), &blocks)], NOW).unwrap();
    store.inbox_ack(3).unwrap();
    store.inbox_ack(2).unwrap();
    assert_eq!(store.inbox_ack(6).unwrap_err().reason, StoreReason::Input);
    assert_eq!(store.inbox_ack(-1).unwrap_err().reason, StoreReason::Input);
    store.close().unwrap();
    let store = folder.open();
    assert_eq!(store.inbox_cursor().unwrap(), 3);
    let left: Vec<i64> = store.inbox(3, 10).unwrap().iter().map(|row| row.seq).collect();
    assert_eq!(left, [4, 5]);
    assert_eq!(store.stats().unwrap().inbox_unread, 2);
}

#[test]
fn an_own_record_is_kept_with_parents_and_outbox() {
    let folder = Folder::new();
    let store = folder.open();
    let heard = says(ANN, "a question");
    store.commit(&[&hear(&mut open_minded(), std::slice::from_ref(&heard))], NOW).unwrap();
    let answer = record(
        ME,
        &Said {
            focus: "an answer",
            parents: &[key_of(&heard)],
            category_parents: &[key_of(&heard)],
            ..Said::default()
        },
    );
    assert!(store.put_own(&answer, NOW + 1, &[node(ANN), node(BOB), node(ANN)]).unwrap());
    assert!(!store.put_own(&answer, NOW + 2, &[node(ANN)]).unwrap());

    let edges = store.parents(key_of(&answer)).unwrap();
    assert_eq!((edges.len(), edges[0].parent, edges[0].levels), (1, key_of(&heard), RECORD_LEVEL | 0b10));
    assert_eq!(store.children(key_of(&heard)).unwrap(), [key_of(&answer)]);
    assert_eq!(store.record(key_of(&heard)).unwrap().unwrap().lifecycle, Lifecycle::Remixed);
    assert_eq!(store.record(key_of(&answer)).unwrap().unwrap().lifecycle, Lifecycle::Observed);

    let waiting = store.outbox(10, None).unwrap();
    assert_eq!(waiting.iter().map(|row| row.node_id).collect::<Vec<_>>(), [node(ANN), node(BOB)]);
    assert_eq!(waiting[0].json, answer.record().to_json());
    let assertion = answer.record().metadata.assertion_id;
    let said = covey_store::Said { assertion_id: assertion, state: "executed".into(), reason: None, closed: true };
    assert_eq!(store.settle(node(ANN), std::slice::from_ref(&said), NOW + 3).unwrap().len(), 1);
    assert!(store.settle(node(ANN), &[said], NOW + 3).unwrap().is_empty());
    store.close().unwrap();
    let store = folder.open();
    assert!(store.outbox(10, Some(node(ANN))).unwrap().is_empty());
    assert_eq!(store.outbox(10, Some(node(BOB))).unwrap().len(), 1);
}

#[test]
fn another_peers_record_is_not_stored_as_own() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.put_own(&says(ANN, "not mine"), NOW, &[]).unwrap_err().reason, StoreReason::Input);
    assert_eq!(store.stats().unwrap().records, 0);
}

#[test]
fn a_child_that_came_first_makes_its_parent_remixed() {
    let folder = Folder::new();
    let store = folder.open();
    let parent = says(ANN, "late parent");
    let child = record(BOB, &Said { focus: "early child", parents: &[key_of(&parent)], ..Said::default() });
    let mut intake = open_minded();
    store.commit(&[&hear(&mut intake, &[child]), &hear(&mut intake, std::slice::from_ref(&parent))], NOW).unwrap();
    assert_eq!(store.record(key_of(&parent)).unwrap().unwrap().lifecycle, Lifecycle::Remixed);
}

#[test]
fn recents_are_newest_first_and_filtered() {
    let folder = Folder::new();
    let store = folder.open();
    let mut intake = open_minded();
    store.commit(&[&hear(&mut intake, &[says(ANN, "one"), says(BOB, "two"), says(ANN, "three")])], NOW).unwrap();
    store.put_own(&says(ME, "four"), NOW, &[]).unwrap();
    let focuses = |filter: &Filter, limit| -> Vec<String> {
        store.recent(limit, filter).unwrap().into_iter().map(|held| held.categories[0].clone()).collect()
    };
    assert_eq!(focuses(&Filter::default(), 2), ["four", "three"]);
    let of = |who| Filter { author: Some(node(who)), ..Filter::default() };
    assert_eq!(focuses(&of(ANN), 10), ["three", "one"]);
    assert_eq!(focuses(&Filter { not_author: Some(node(ME)), ..Filter::default() }, 10), ["three", "two", "one"]);
    assert!(focuses(&Filter { room: Some("elsewhere".into()), ..Filter::default() }, 10).is_empty());
    assert_eq!(focuses(&Filter { room: Some("den".into()), ..of(BOB) }, 10), ["two"]);
}

#[test]
fn recall_ranks_all_words_before_any_word() {
    let folder = Folder::new();
    let store = folder.open();
    let texts = ["the red fox", "a red house", "the fox runs", "nothing here", "Crème brûlée: naïve"];
    let blocks: Vec<_> = texts.iter().map(|text| says(ANN, text)).collect();
    store.commit(&[&hear(&mut open_minded(), &blocks)], NOW).unwrap();
    let found = |query: &str| -> Vec<String> {
        store.recall(query, 10).unwrap().hits.into_iter().map(|held| held.categories[0].clone()).collect()
    };
    let mut hits = found("red fox");
    assert_eq!(hits.remove(0), "the red fox");
    hits.sort();
    assert_eq!(hits, ["a red house", "the fox runs"]);
    assert_eq!(found("creme brulee"), ["Crème brûlée: naïve"]);
    assert!(found("absent").is_empty());
    assert_eq!(found("  \"( ").len(), 5, "a query without a word lists the newest");
    assert_eq!(found("\"fox\" OR -NEAR(").len(), 2);
    assert!(!store.recall("red", 10).unwrap().capped);
}

#[test]
fn what_is_stored_is_found_at_once_while_others_write() {
    let folder = Folder::new();
    let store = folder.open();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut intake = open_minded();
            for number in 0.. {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                store.commit(&[&hear(&mut intake, &[says(BOB, &format!("noise {number}"))])], NOW).unwrap();
            }
        });
        let mut intake = open_minded();
        for number in 0..100 {
            store.commit(&[&hear(&mut intake, &[says(ANN, &format!("signal{number}"))])], NOW).unwrap();
            let found = store.recall(&format!("signal{number}"), 5).map(|found| found.hits.len());
            if !matches!(found, Ok(1)) {
                ended.store(true, Ordering::Relaxed);
            }
            assert_eq!(found.unwrap(), 1);
        }
        ended.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_recall_index_follows_behind_and_says_how_far() {
    let folder = Folder::new();
    let store = folder.open();
    let mut intake = open_minded();
    let total = 1_200_u32;
    for chunk in (0..total).collect::<Vec<_>>().chunks(200) {
        let blocks: Vec<_> = chunk.iter().map(|number| says(ANN, &format!("common word {number}"))).collect();
        store.commit(&[&hear(&mut intake, &blocks)], NOW).unwrap();
    }
    assert_eq!(store.stats().unwrap().recall_lag, 1_200);
    let first = store.recall("common", 5).unwrap();
    assert_eq!((first.lag, first.capped), (944, false));
    while store.index().unwrap() > 0 {}
    let capped = store.recall("common", 3).unwrap();
    assert!(capped.capped && capped.lag == 0);
    let newest: Vec<_> = capped.hits.iter().map(|held| held.categories[0].as_str()).collect();
    assert_eq!(newest, ["common word 1199", "common word 1198", "common word 1197"]);
    assert_eq!(store.recall("word 77", 1).unwrap().hits[0].categories[0], "common word 77");
}

#[test]
fn bindings_are_never_replaced() {
    let folder = Folder::new();
    let store = folder.open();
    let (first, second) = ([1; 32], [2; 32]);
    assert_eq!(store.bind(node(ANN), &first, "ann", NOW).unwrap(), Bound::New);
    assert_eq!(store.bind(node(ANN), &first, "renamed", NOW + 1).unwrap(), Bound::Known);
    assert_eq!(store.bind(node(ANN), &second, "thief", NOW + 2).unwrap(), Bound::Conflict);
    store.close().unwrap();
    let store = folder.open();
    let bindings = store.bindings().unwrap();
    assert_eq!(bindings.len(), 1);
    assert_eq!((bindings[0].public_key, bindings[0].name.as_str(), bindings[0].first_seen_ms), (first, "ann", NOW));
    // Only its operator's word ends a binding.
    assert!(store.unbind(node(ANN)).unwrap());
    assert!(!store.unbind(node(ANN)).unwrap());
    assert_eq!(store.bind(node(ANN), &second, "ann again", NOW + 3).unwrap(), Bound::New);
}

#[test]
fn state_and_wakes_survive_a_restart() {
    let folder = Folder::new();
    let store = folder.open();
    let block = key_of(&says(ANN, "wakes once"));
    store.state_put("budget", b"{}").unwrap();
    store.state_put("budget", b"{\"spent\":1}").unwrap();
    assert!(!store.woken(block).unwrap());
    store.state_put_many(&[], &[block]).unwrap();
    store.close().unwrap();
    let store = folder.open();
    assert_eq!(store.state_get("budget").unwrap().as_deref(), Some(&b"{\"spent\":1}"[..]));
    assert_eq!(store.state_get("other").unwrap(), None);
    assert!(store.woken(block).unwrap());
    store.state_put_many(&[], &[block]).unwrap();
    assert!(store.woken(block).unwrap());
}

#[test]
fn several_states_are_kept_together_or_not_at_all() {
    let folder = Folder::new();
    let store = folder.open();
    let block = key_of(&says(ANN, "wakes once"));
    store.state_put_many(&[("one", b"1"), ("two", b"2")], &[]).unwrap();
    assert!(store.state_put_many(&[("one", b"changed"), ("", b"no name")], &[block]).is_err());
    assert!(!store.woken(block).unwrap());
    assert_eq!(store.state_get("one").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(store.state_get("two").unwrap().as_deref(), Some(&b"2"[..]));
}

#[test]
fn state_is_bounded() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.state_put("", b"").unwrap_err().reason, StoreReason::Input);
    assert_eq!(store.state_put(&"n".repeat(129), b"").unwrap_err().reason, StoreReason::Input);
    let large = vec![0; covey_store::limits::STATE_VALUE_MAX_BYTES + 1];
    assert_eq!(store.state_put("name", &large).unwrap_err().reason, StoreReason::Input);
}

#[test]
fn a_restarted_intake_knows_what_it_knew() {
    let folder = Folder::new();
    let store = folder.open();
    for who in [ANN, BOB] {
        store.bind(node(who), key(who).public().as_bytes(), "name", NOW).unwrap();
    }
    let mut before = closed_minded();
    let directed = record(BOB, &Said { focus: "for you", to: Some(ME), ..Said::default() });
    let blocks = [says(ANN, "first of all"), says(BOB, "rejected thing"), directed];
    store.commit(&[&hear(&mut before, &blocks)], NOW).unwrap();
    let own = says(ME, "my own words");
    store.put_own(&own, NOW, &[]).unwrap();
    before.admit_own(&own, NOW);
    store.close().unwrap();

    let store = folder.open();
    let mut after = closed_minded();
    assert_eq!(store.load_into(&mut after).unwrap(), 2);
    assert!(after.anchors().eq(before.anchors()));
    assert_eq!(hear(&mut after, &blocks).count(Kind::Duplicate), 3);
    assert!(!after.admit_own(&own, NOW));
    let new = [says(ANN, "something new"), says(BOB, "first of all, nearly")];
    let (one, other) = (hear(&mut before, &new), hear(&mut after, &new));
    assert_eq!(one.outcomes, other.outcomes);
}

#[test]
fn too_many_rows_are_refused_and_change_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    let batch = hear(&mut open_minded(), &[says(ANN, "one")]);
    let many: Vec<_> = std::iter::repeat_n(&batch, covey_store::limits::COMMIT_MAX_ROWS + 1).collect();
    assert_eq!(store.commit(&many, NOW).unwrap_err().reason, StoreReason::Input);
    assert_eq!(store.stats().unwrap().records, 0);
}

#[test]
fn hearsay_is_kept_with_its_mark_and_comes_back_as_an_anchor() {
    let folder = Folder::new();
    let mut draft = Draft::new(node(9), "stock", NOW, ROOM).unwrap();
    draft.say(Category::Focus, "heard on the legacy wire").unwrap();
    draft.descend_category(Category::Issue, &[ContentKey::from_bytes([7; 32])]).unwrap();
    let heard = attribute(draft).unwrap();
    let key = heard.record().metadata.key;
    let store = folder.open();
    let batch = open_minded().evaluate_hearsay(vec![heard.clone()], node(9), NOW).unwrap();
    store.commit(&[&batch], NOW).unwrap();
    let mut directed = Draft::new(node(9), "stock", NOW, ROOM).unwrap();
    directed.say(Category::Focus, "for you, and too far off to keep").unwrap();
    directed.to(node(ME));
    let mut closed = closed_minded();
    hear(&mut closed, &[says(ANN, "something else entirely")]);
    let batch = closed.evaluate_hearsay(vec![attribute(directed).unwrap()], node(9), NOW).unwrap();
    store.commit(&[&batch], NOW).unwrap();
    drop(store);

    let store = folder.open();
    let stored = store.record(key).unwrap().unwrap();
    assert_eq!((stored.proof, stored.node_id, stored.own), (Proof::Legacy, node(9), false));
    assert_eq!(store.record_json(key).unwrap(), None);
    let inbox = store.inbox(0, 10).unwrap();
    let marks: Vec<_> = inbox.iter().map(|row| (row.ingested, row.record.proof)).collect();
    assert_eq!(marks, vec![(true, Proof::Legacy), (false, Proof::Legacy)]);
    let mut intake = open_minded();
    assert_eq!(store.load_into(&mut intake).unwrap(), 1);
    assert_eq!(intake.anchors().collect::<Vec<_>>(), vec![key]);
}
