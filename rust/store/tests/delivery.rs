//! What was addressed to one peer, from its number to its end, at both sides; and what an agent must still act on.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{ANN, BOB, Folder, ME, NOW, Said as Words, hear, key_of, node, open_minded, record, says};
use covey_core::id::AssertionId;
use covey_core::record::Verified;
use covey_store::limits::OUTBOX_WAIT_MS;
use covey_store::{Attention, GapRow, Own, Said, SendRow, Store, StoreReason};

const DAY: u64 = OUTBOX_WAIT_MS;

fn id_of(record: &Verified) -> AssertionId {
    record.record().metadata.assertion_id
}

fn to(who: u8, focus: &str) -> Verified {
    record(ME, &Words { focus, to: Some(who), ..Words::default() })
}

fn queue(store: &Store, record: &Verified, who: u8) -> Vec<u64> {
    let own = Own { record, recipients: &[node(who)], deadline_ms: None };
    store.put_own_many(&[own], NOW).unwrap().remove(0).numbers
}

fn said(record: &Verified, state: &str, closed: bool) -> Said {
    Said { assertion_id: id_of(record), state: state.into(), reason: None, closed }
}

fn states(rows: &[SendRow]) -> Vec<(u64, &str, bool)> {
    rows.iter().map(|row| (row.number, row.state.as_str(), row.closed)).collect()
}

#[test]
fn each_recipient_has_numbers_of_its_own_without_holes() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.outbox_page(node(ANN), 0, 10).unwrap().base, 1);
    assert_eq!(queue(&store, &to(ANN, "one"), ANN), [1]);
    assert_eq!(queue(&store, &to(BOB, "two"), BOB), [1]);
    assert_eq!(queue(&store, &to(ANN, "three"), ANN), [2]);
    store
        .put_own_many(&[Own { record: &says(ANN, "x"), recipients: &[node(ANN)], deadline_ms: None }], NOW)
        .unwrap_err();
    let before = store.outbox_page(node(ANN), 0, 10).unwrap();
    store.close().unwrap();
    let store = folder.open();
    assert_eq!(queue(&store, &to(ANN, "four"), ANN), [3]);
    let page = store.outbox_page(node(ANN), 1, 1).unwrap();
    assert_eq!(page.stream, before.stream);
    assert_eq!(page.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2]);
    assert!(page.more);
    assert_eq!(page.stream.len(), 32);
    assert_ne!(page.stream, Folder::new().open().outbox_page(node(ANN), 0, 1).unwrap().stream);
}

#[test]
fn words_that_are_held_already_are_addressed_all_the_same() {
    let folder = Folder::new();
    let store = folder.open();
    let (first, second) = (to(ANN, "the same words"), to(BOB, "the same words"));
    assert_eq!(key_of(&first), key_of(&second));
    assert!(store.put_own(&first, NOW, &[node(ANN)]).unwrap());
    assert!(!store.put_own(&second, NOW, &[node(BOB)]).unwrap());
    assert!(!store.put_own(&second, NOW, &[node(BOB)]).unwrap(), "one assertion waits once");
    store.close().unwrap();
    let waiting = folder.open().outbox(10, None).unwrap();
    assert_eq!(
        waiting.iter().map(|row| &row.json).collect::<Vec<_>>(),
        [&first.record().to_json(), &second.record().to_json()]
    );
}

#[test]
fn a_send_goes_forward_to_its_end_and_only_at_its_peer() {
    let folder = Folder::new();
    let store = folder.open();
    let block = to(ANN, "please");
    queue(&store, &block, ANN);
    let settle = |who, said| states(&store.settle(node(who), &[said], NOW).unwrap()).len();
    assert_eq!(settle(BOB, said(&block, "delivered", false)), 0, "it was not addressed to them");
    assert_eq!(settle(ANN, said(&block, "delivered", false)), 1);
    assert_eq!(settle(ANN, said(&block, "delivered", false)), 0, "nothing new");
    assert!(store.outbox(10, None).unwrap().is_empty(), "it is not sent any more");
    assert_eq!(store.outbox_page(node(ANN), 0, 10).unwrap().unfinished, [id_of(&block)]);
    for earlier in ["unknown", "accepted", "refused"] {
        assert_eq!(settle(ANN, said(&block, earlier, true)), 0, "{earlier}");
    }
    assert_eq!(settle(ANN, said(&block, "executed", true)), 1);
    assert_eq!(settle(ANN, said(&block, "expired", true)), 0);
    assert!(store.sends(10, None).unwrap().is_empty());
    assert_eq!(states(&store.sends(10, Some(id_of(&block))).unwrap()), [(1, "executed", true)]);
    let nonsense = store.settle(node(ANN), &[said(&block, "loved", true)], NOW).unwrap_err();
    assert_eq!(nonsense.reason, StoreReason::Input);
}

#[test]
fn what_waits_past_its_deadline_expires_and_the_truth_corrects_it() {
    let folder = Folder::new();
    let store = folder.open();
    let (soon, later, heard) = (to(ANN, "soon"), to(ANN, "later"), to(ANN, "heard"));
    let ann = [node(ANN)];
    let own = |record, deadline_ms| Own { record, recipients: &ann, deadline_ms };
    store.put_own_many(&[own(&soon, Some(NOW + 5)), own(&later, None), own(&heard, Some(NOW + 5))], NOW).unwrap();
    store.settle(node(ANN), &[said(&heard, "delivered", false)], NOW).unwrap();
    let (none, next) = store.expire(NOW + 4).unwrap();
    assert_eq!((none.len(), next), (0, Some(NOW + 5)));
    let (expired, next) = store.expire(NOW + 5).unwrap();
    assert_eq!((states(&expired), next), (vec![(1, "expired", true)], Some(NOW + DAY)));
    assert_eq!(states(&store.sends(10, Some(id_of(&heard))).unwrap()), [(3, "delivered", true)]);
    let page = store.outbox_page(node(ANN), 0, 10).unwrap();
    assert_eq!((page.base, page.given_up), (2, vec![(1, 1)]));
    assert_eq!(page.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2]);
    assert_eq!(states(&store.settle(node(ANN), &[said(&soon, "executed", true)], NOW + 9).unwrap()).len(), 1);
}

#[test]
fn a_sender_is_taken_up_where_its_numbers_stand_in_the_inbox() {
    let folder = Folder::new();
    let store = folder.open();
    let sent: Vec<_> = ["one", "two", "three", "five"]
        .iter()
        .map(|focus| record(ANN, &Words { focus, to: Some(ME), ..Words::default() }))
        .collect();
    let numbers = [1, 2, 3, 6].map(|number| (number, Some(NOW + number)));
    let attention = Attention {
        wakers: BTreeSet::from([node(ANN)]),
        context: BTreeSet::from([key_of(&sent[1])]),
        stream: "abc".into(),
        numbers: sent.iter().map(id_of).zip(numbers).collect::<BTreeMap<_, _>>(),
    };
    assert_eq!(store.stream_in(node(ANN), 10).unwrap(), None);
    let batch = hear(&mut open_minded(), &sent);
    store.commit_attended(&[(&batch, Some(&attention))], NOW).unwrap();
    let rows = store.inbox(0, 10).unwrap();
    assert_eq!(rows.iter().map(|row| row.wakes).collect::<Vec<_>>(), [true, false, true, true]);
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [Some(1), Some(2), Some(3), Some(6)]);
    assert_eq!(rows[0].expires_ms, Some(NOW + 1));
    let place = |store: &Store| store.stream_in(node(ANN), 10).unwrap().map(|held| (held.cursor, held.beyond)).unwrap();
    assert_eq!(place(&store), (3, vec![6]));
    let gap = |first, last, late| GapRow {
        node_id: node(ANN),
        stream: "abc".into(),
        first,
        last,
        late,
        reason: "lost".into(),
        at_ms: NOW,
        after_seq: 0,
    };
    store.put_gap(&gap(4, 4, true)).unwrap();
    assert_eq!(place(&store), (3, vec![6]), "what may still come is still awaited");
    store.put_gap(&gap(4, 5, false)).unwrap();
    store.close().unwrap();
    let store = folder.open();
    assert_eq!(place(&store), (6, vec![]));
    store.put_stream_in(node(ANN), "another", 0).unwrap();
    assert_eq!(place(&store), (0, vec![]), "numbers of an earlier stream count no more");
    assert_eq!(store.gaps(4, 4, 10).unwrap().len(), 2);
    assert!(store.gaps(5, 9, 10).unwrap().is_empty());
}

#[test]
fn an_application_ends_what_is_addressed_to_it_once() {
    let folder = Folder::new();
    let store = folder.open();
    let (asked, open) =
        (record(ANN, &Words { focus: "do it", to: Some(ME), ..Words::default() }), says(ANN, "by the way"));
    store.commit(&[&hear(&mut open_minded(), &[asked.clone(), open.clone()])], NOW).unwrap();
    let id = id_of(&asked);
    assert_eq!(store.endings(node(ANN), &[id]).unwrap(), [(id, None, None)]);
    assert!(store.endings(node(BOB), &[id]).unwrap().is_empty(), "it is not theirs to ask");
    assert_eq!(store.finish(id_of(&open), "executed", None).unwrap(), None);
    assert_eq!(store.finish(id, "executed", Some("replied")).unwrap(), Some(node(ANN)));
    assert_eq!(store.finish(id, "expired", None).unwrap(), None);
    store.close().unwrap();
    let store = folder.open();
    assert_eq!(store.endings(node(ANN), &[id]).unwrap(), [(id, Some("executed".into()), Some("replied".into()))]);
    assert_eq!(store.inbox(0, 10).unwrap()[0].finished.as_deref(), Some("executed"));
    assert_eq!(store.finish(id, "loved", None).unwrap_err().reason, StoreReason::Input);
    assert_eq!(store.finish(id, "executed", Some(&"x".repeat(201))).unwrap_err().reason, StoreReason::Input);
}

#[test]
fn an_agent_finds_what_it_must_still_act_on() {
    let folder = Folder::new();
    let store = folder.open();
    let (waking, silent, woke) = (says(ANN, "wake up"), says(BOB, "a stranger"), says(ANN, "woke already"));
    let asked = record(BOB, &Words { focus: "for you", to: Some(ME), ..Words::default() });
    let attention = Attention { wakers: BTreeSet::from([node(ANN)]), ..Attention::default() };
    let batch = hear(&mut open_minded(), &[waking.clone(), silent, woke.clone(), asked.clone()]);
    store.commit_attended(&[(&batch, Some(&attention))], NOW).unwrap();
    store.state_put_many(&[], &[key_of(&woke)]).unwrap();
    let open = |since| store.unfinished(since, 10).unwrap().iter().map(|row| row.record.key).collect::<Vec<_>>();
    assert_eq!(open(NOW), [key_of(&waking), key_of(&asked)]);
    assert!(open(NOW + 1).is_empty());
    store.finish(id_of(&asked), "unexecuted", Some("stranger")).unwrap();
    assert_eq!(open(0), [key_of(&waking)]);
}

#[test]
fn a_message_between_agents_is_kept_in_box_and_outbox_and_nowhere_else() {
    let folder = Folder::new();
    let store = folder.open();
    let message =
        |who: u8, to: u8| record(who, &Words { focus: "a result", to: Some(to), message: true, ..Words::default() });
    let own = message(ME, ANN);
    assert_eq!(queue(&store, &own, ANN), [1]);
    let mut intake = open_minded();
    let heard =
        [message(ANN, ME), message(BOB, ME), record(ANN, &Words { focus: "a task", to: Some(ME), ..Words::default() })];
    let batch = hear(&mut intake, &heard);
    let attention = Attention { wakers: BTreeSet::from([node(ANN)]), ..Attention::default() };
    store.commit_attended(&[(&batch, Some(&attention))], NOW).unwrap();
    store.close().unwrap();

    let store = folder.open();
    assert_eq!(store.outbox_page(node(ANN), 0, 10).unwrap().rows[0].json, own.record().to_json());
    assert!(store.record(key_of(&own)).unwrap().is_none() && store.record(key_of(&heard[0])).unwrap().is_none());
    assert_eq!(store.load_into(&mut open_minded()).unwrap(), 1, "the task alone is an anchor");
    let unread = store.messages(10).unwrap();
    assert_eq!(unread.iter().map(|row| row.json.as_bytes()).collect::<Vec<_>>(), [heard[0].record().to_json()]);
    assert_eq!(unread[0].node_id, node(ANN), "who may wake nobody is not handed to an agent");
    let open: Vec<_> = store.unfinished(0, 10).unwrap().iter().map(|row| row.record.key).collect();
    assert_eq!(open, [key_of(&heard[2])]);
    store.finish(id_of(&heard[0]), "executed", None).unwrap();
    assert!(store.messages(10).unwrap().is_empty());
}
