use super::delta::Delta;
use super::*;
use crate::clock::VectorClock;
use crate::error::Reason;
use crate::id::NodeId;
use crate::identity::{PublicKey, SigningKey};
use crate::limits::{MAX_FLUSH_OPS, MAX_STATE_DRIFT_MS, MAX_STATE_VALUE_BYTES};
use proptest::prelude::*;

pub const NOW: u64 = 1_790_000_000_000;
pub const SCOPE: &str = "room:default";

pub fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number + 1; 16])
}

pub fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number + 1; 32]).unwrap()
}

pub fn bound(author: NodeId) -> Option<PublicKey> {
    (0..9).find(|number| node(*number) == author).map(|number| *key(number).public())
}

pub fn checked() -> Check<'static> {
    Check::Verify { key: &bound, now_ms: NOW }
}

pub fn replica(number: u8) -> Replica {
    Replica::new(SCOPE, node(number), [number; 16]).unwrap()
}

pub fn put(name: &str, value: &str) -> Write {
    Write::Bytes(name.to_owned(), value.as_bytes().to_vec())
}

pub fn sync(from: &mut Replica, to: &mut Replica) {
    for delta in from.since(to.seen(), 2_000, usize::MAX).unwrap() {
        let report = to.merge(&delta, checked()).unwrap();
        assert_eq!(report.refused, []);
    }
}

fn text<'a>(replica: &'a Replica, name: &str) -> Option<&'a str> {
    match replica.get(name)? {
        Value::Bytes(bytes) | Value::Json(bytes) => Some(std::str::from_utf8(bytes).unwrap()),
    }
}

#[test]
fn what_happened_later_wins_whatever_the_wall_clocks_say() {
    let (mut fast, mut slow) = (replica(0), replica(1));
    fast.commit(&[put("x", "first")], NOW + 50_000, &key(0)).unwrap();
    sync(&mut fast, &mut slow);
    slow.commit(&[put("x", "second")], NOW - 900_000, &key(1)).unwrap();
    sync(&mut slow, &mut fast);
    assert_eq!((text(&fast, "x"), text(&slow, "x")), (Some("second"), Some("second")));
    assert_eq!(fast.state_hash(), slow.state_hash());
}

#[test]
fn concurrent_writes_fall_to_the_clock_then_to_the_node() {
    let (mut a, mut b, mut c) = (replica(0), replica(1), replica(2));
    let early = a.commit(&[put("x", "a")], NOW, &key(0)).unwrap();
    let same = b.commit(&[put("x", "b"), put("y", "b")], NOW, &key(1)).unwrap();
    let late = c.commit(&[put("y", "c")], NOW + 1, &key(2)).unwrap();
    for delta in [&late, &same, &early] {
        a.merge(delta, checked()).unwrap();
    }
    assert_eq!((text(&a, "x"), text(&a, "y")), (Some("b"), Some("c")));
}

#[test]
fn registers_counters_and_sets_read_as_written() {
    let (mut a, mut b) = (replica(0), replica(1));
    let writes = [
        Write::Json("j".to_owned(), br#"{"n": 1}"#.to_vec()),
        put("x", "1"),
        put("x", "2"),
        Write::Count("n".to_owned(), 5),
        Write::Count("n".to_owned(), -7),
        Write::Add("s".to_owned(), b"one".to_vec()),
        Write::Add("s".to_owned(), b"two".to_vec()),
        Write::Add("s".to_owned(), b"two".to_vec()),
        Write::Delete("never".to_owned()),
    ];
    a.commit(&writes, NOW, &key(0)).unwrap();
    sync(&mut a, &mut b);
    b.commit(&[Write::Count("n".to_owned(), 10), Write::Remove("s".to_owned(), b"one".to_vec())], NOW, &key(1))
        .unwrap();
    sync(&mut b, &mut a);
    for replica in [&a, &b] {
        assert_eq!(replica.get("j"), Some(Value::Json(br#"{"n": 1}"#)));
        assert_eq!((text(replica, "x"), replica.counter("n")), (Some("2"), 8));
        assert_eq!(replica.elements("s"), [b"two".to_vec()]);
        assert_eq!(replica.names(), ["j", "x"]);
    }
    assert!(a.commit(&[Write::Delete("never".to_owned())], NOW, &key(0)).unwrap().is_empty());
}

#[test]
fn an_addition_survives_a_removal_that_had_not_seen_it() {
    let (mut a, mut b) = (replica(0), replica(1));
    let (add, remove) = (Write::Add("s".to_owned(), b"e".to_vec()), Write::Remove("s".to_owned(), b"e".to_vec()));
    a.commit(std::slice::from_ref(&add), NOW, &key(0)).unwrap();
    sync(&mut a, &mut b);
    a.commit(std::slice::from_ref(&add), NOW, &key(0)).unwrap();
    b.commit(std::slice::from_ref(&remove), NOW + 9, &key(1)).unwrap();
    sync(&mut a, &mut b);
    sync(&mut b, &mut a);
    assert_eq!((a.elements("s"), b.elements("s")), (vec![b"e".to_vec()], vec![b"e".to_vec()]));
    a.commit(&[add, remove], NOW, &key(0)).unwrap();
    assert!(a.elements("s").is_empty());
}

#[test]
fn a_clock_far_ahead_is_refused_and_reported_and_tried_again() {
    let (mut liar, mut honest) = (replica(0), replica(1));
    let delta = liar.commit(&[put("x", "mine")], NOW + MAX_STATE_DRIFT_MS + 1, &key(0)).unwrap();
    let report = honest.merge(&delta, checked()).unwrap();
    assert_eq!(report.refused[0].refusal.reason, Reason::FutureTimestamp);
    assert_eq!((report.applied, honest.live(), honest.seen().count(node(0))), (0, 0, 0));
    let later = Check::Verify { key: &bound, now_ms: NOW + 1 };
    assert_eq!(honest.merge(&delta, later).unwrap().applied, 1);
}

#[test]
fn two_histories_of_one_author_are_found_and_proven() {
    let (mut one, mut two, mut other) = (replica(0), replica(0), replica(1));
    let left = one.commit(&[put("x", "left")], NOW, &key(0)).unwrap();
    let right = two.commit(&[put("x", "right"), put("y", "right")], NOW, &key(0)).unwrap();
    let after = two.commit(&[put("z", "right")], NOW, &key(0)).unwrap();
    other.merge(&left, checked()).unwrap();
    let report = other.merge(&right, checked()).unwrap();
    let found = &report.refused[0];
    assert_eq!((found.refusal.reason, found.author), (Reason::Equivocation, node(0)));
    let proof = found.equivocation.as_ref().unwrap();
    for signed in [&proof.held, &proof.came] {
        signed.verify(SCOPE, key(0).public()).unwrap();
    }
    assert_eq!(text(&other, "x"), Some("left"));
    // A later flush that continues the other history is found by what it says came before.
    one.commit(&[put("q", "left")], NOW, &key(0)).unwrap();
    let mut third = replica(2);
    sync(&mut one, &mut third);
    assert_eq!(third.merge(&after, checked()).unwrap().refused[0].refusal.reason, Reason::Equivocation);
}

#[test]
fn nobody_writes_in_another_name() {
    let (mut forger, mut other) = (replica(0), replica(1));
    let delta = forger.commit(&[put("x", "1")], NOW, &key(3)).unwrap();
    assert_eq!(other.merge(&delta, checked()).unwrap().refused[0].refusal.reason, Reason::BadSignature);
    let mut stranger = Replica::new(SCOPE, NodeId::from_bytes([99; 16]), [0; 16]).unwrap();
    let delta = stranger.commit(&[put("x", "1")], NOW, &key(0)).unwrap();
    assert_eq!(other.merge(&delta, checked()).unwrap().refused[0].refusal.reason, Reason::AuthorUnknown);
    let mut elsewhere = Replica::new("room:other", node(0), [0; 16]).unwrap();
    let delta = elsewhere.commit(&[put("x", "1")], NOW, &key(0)).unwrap();
    assert_eq!(other.merge(&delta, checked()).unwrap().refused[0].refusal.reason, Reason::BadSignature);
    assert_eq!(other.live(), 0);
}

#[test]
fn an_operation_travels_with_its_path_through_peers_that_lack_the_rest() {
    let (mut a, mut b, mut c) = (replica(0), replica(1), replica(2));
    let writes: Vec<Write> = (0..100).map(|number| put(&format!("k{number}"), "old")).collect();
    a.commit(&writes, NOW, &key(0)).unwrap();
    let newer: Vec<Write> =
        (0..100).filter(|number| number % 9 != 0).map(|number| put(&format!("k{number}"), "new")).collect();
    a.commit(&newer, NOW, &key(0)).unwrap();
    sync(&mut a, &mut b);
    b.commit(&[put("k9", "newest")], NOW, &key(1)).unwrap();
    sync(&mut b, &mut c);
    assert_eq!(c.state_hash(), b.state_hash());
    let lean = b.since(&VectorClock::new(), usize::MAX, usize::MAX).unwrap();
    assert!(lean[0].windows(3).filter(|bytes| bytes == b"old").count() == 11, "superseded operations do not travel");
    let restored = Replica::restore(SCOPE, node(3), [7; 16], &c.snapshot().unwrap(), checked()).unwrap();
    assert_eq!((restored.state_hash(), restored.seen()), (c.state_hash(), c.seen()));
}

#[test]
fn what_was_left_out_is_found_by_digest_and_repaired() {
    let (mut a, mut b) = (replica(0), replica(1));
    a.commit(&(0..50).map(|number| put(&format!("k{number}"), "v")).collect::<Vec<_>>(), NOW, &key(0)).unwrap();
    // Somebody in between leaves operations out and covers up for it: the span it claims is the whole.
    let whole = a.since(&VectorClock::new(), usize::MAX, usize::MAX).unwrap().remove(0);
    let part = a.parts(|entry| entry.seq % 2 == 0, usize::MAX).unwrap().remove(0);
    let delta = Delta::read(&whole, SCOPE, [0; 2]).unwrap();
    let lie = Delta::read(&part, SCOPE, [0; 2]).unwrap();
    let (from, to) = (VectorClock::new(), VectorClock::from_entries(delta.to).unwrap());
    let ops = lie.ops.iter().map(|op| (op.offset, &part[op.at as usize..(op.at + op.len) as usize])).collect();
    let group = &lie.groups[0];
    let lying = delta::write(&from, &to, &[delta::Part { signed: &group.signed, ops, proof: group.proof.clone() }]);
    assert_eq!(b.merge(&lying, checked()).unwrap().applied, 25);
    let standing = b.standing_of(&super::Digest::read(&a.digest().to_bytes()).unwrap());
    assert!(standing.diverged && standing.behind == 0);
    for delta in a.repair(&b.buckets()).unwrap() {
        b.merge(&delta, checked()).unwrap();
    }
    assert!(!b.standing_of(&a.digest()).diverged);
    assert!(a.repair(&b.buckets()).unwrap().is_empty(), "equal ranges send nothing");
}

#[test]
fn tombstones_go_when_all_have_seen_them_and_nothing_comes_back() {
    let (mut a, mut b, mut away) = (replica(0), replica(1), replica(2));
    let old = a.commit(&[put("x", "1"), put("y", "1")], NOW, &key(0)).unwrap();
    sync(&mut a, &mut b);
    sync(&mut a, &mut away);
    let lost =
        away.commit(&[put("x", "late"), put("mine", "kept"), Write::Count("n".to_owned(), 4)], NOW, &key(2)).unwrap();
    b.commit(&[Write::Delete("x".to_owned())], NOW + 5, &key(1)).unwrap();
    sync(&mut b, &mut a);
    let acks = |nodes: &[(&Replica, u8)]| nodes.iter().map(|(r, n)| (node(*n), r.seen().clone())).collect::<Vec<_>>();
    assert_eq!(a.collect(&acks(&[(&b, 1), (&away, 2)])).unwrap(), 0, "one has not seen it");
    assert_eq!((a.tombstones(), a.collect(&acks(&[(&b, 1)])).unwrap(), a.tombstones()), (1, 1, 0));
    a.merge(&old, checked()).unwrap();
    assert_eq!((text(&a, "x"), text(&a, "y")), (None, Some("1")));
    // Who was left out cannot bring it back, is told so, and starts anew without losing its own writes.
    assert_eq!(a.merge(&lost, checked()).unwrap().refused[0].refusal.reason, Reason::StateReset);
    assert_eq!(a.since(away.seen(), 9, usize::MAX).unwrap_err().reason, Reason::StateReset);
    assert!(away.standing_of(&a.digest()).reset);
    let again = away.reset(&a.snapshot().unwrap(), checked(), NOW + 9, &key(2)).unwrap();
    assert_eq!(a.merge(&again, checked()).unwrap().refused, []);
    assert_eq!((text(&a, "mine"), text(&a, "x"), a.counter("n")), (Some("kept"), Some("late"), 4));
    assert_eq!(a.state_hash(), away.state_hash());
}

#[test]
fn bounds_hold_where_things_are_written() {
    let mut a = replica(0);
    let refused = |a: &mut Replica, write: Write| a.commit(&[write], NOW, &key(0)).unwrap_err().reason;
    assert_eq!(refused(&mut a, put("", "1")), Reason::TooLarge);
    assert_eq!(refused(&mut a, put(&"x".repeat(513), "1")), Reason::TooLarge);
    assert_eq!(refused(&mut a, put("x", &"1".repeat(MAX_STATE_VALUE_BYTES + 1))), Reason::TooLarge);
    assert_eq!(refused(&mut a, Write::Json("x".to_owned(), b"{".to_vec())), Reason::MalformedJson);
    let many: Vec<Write> = (0..=MAX_FLUSH_OPS).map(|number| put(&number.to_string(), "")).collect();
    assert_eq!(a.commit(&many, NOW, &key(0)).unwrap_err().reason, Reason::TooLarge);
    assert_eq!(a.seen(), &VectorClock::new());
    assert!(Replica::new("", node(0), [0; 16]).is_err());
}

fn honest_delta() -> Vec<u8> {
    let mut a = replica(0);
    a.commit(&[put("x", "1"), put("y", "2"), Write::Count("n".to_owned(), 1)], NOW, &key(0)).unwrap();
    a.commit(&[put("x", "3"), Write::Add("s".to_owned(), b"e".to_vec())], NOW, &key(0)).unwrap();
    a.since(&VectorClock::new(), usize::MAX, usize::MAX).unwrap().remove(0)
}

proptest! {
    #[test]
    fn any_bytes_give_a_value_or_a_refusal(bytes: Vec<u8>, behind in prop::collection::vec(any::<u8>(), 0..200)) {
        let magic = |name: &[u8]| [name, behind.as_slice()].concat();
        for bytes in [bytes, magic(b"CVST\x01"), magic(b"CVSS\x01"), magic(b"CVSD\x01")] {
            let _ = replica(1).merge(&bytes, checked());
            let _ = replica(1).merge(&bytes, Check::Trusted);
            let _ = super::Digest::read(&bytes);
            let _ = Replica::restore(SCOPE, node(1), [0; 16], &bytes, checked());
        }
    }

    #[test]
    fn a_changed_byte_never_becomes_state(at: prop::sample::Index, flip in 1u8..=255) {
        let honest = honest_delta();
        let mut whole = replica(1);
        whole.merge(&honest, checked()).unwrap();
        let mut bytes = honest.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let mut other = replica(1);
        if other.merge(&bytes, checked()).is_ok() {
            // What was taken is a part of what was signed.
            let there = whole.since(&VectorClock::new(), usize::MAX, usize::MAX).unwrap();
            for name in other.names() {
                prop_assert_eq!(other.get(name), whole.get(name), "byte {}", at);
            }
            for delta in there { other.merge(&delta, checked()).unwrap(); }
            prop_assert_eq!(other.state_hash(), whole.state_hash());
        }
        let _ = replica(2).merge(&bytes, Check::Trusted);
        let _ = replica(2).merge(&honest[..at], checked());
    }
}
