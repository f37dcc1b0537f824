//! Laws: whatever is written, lost, repeated, reordered or forgotten, replicas end with the same bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::delta::Delta;
use super::op::{self, Slot};
use super::tests::{NOW, SCOPE, checked, key, node, replica, sync};
use super::*;
use crate::clock::VectorClock;
use crate::id::NodeId;
use crate::state::wire::Reader;

const NODES: u8 = 4;

#[derive(Clone, Debug)]
enum Step {
    /// A node writes, at its own idea of the time.
    Write(u8, Vec<Write>, u64),
    /// One node tells another what it lacks.
    Sync(u8, u8),
    /// One node hears what another has seen, and nothing else.
    Ack(u8, u8),
    /// A push that was under way arrives.
    Push(prop::sample::Index, u8),
    /// A node forgets what it may.
    Collect(u8),
}

fn any_write() -> impl Strategy<Value = Write> {
    let name = || "[a-d]".prop_map(|name| name);
    let element = || "[x-z]".prop_map(String::into_bytes);
    prop_oneof![
        3 => (name(), any::<[u8; 2]>()).prop_map(|(name, value)| Write::Bytes(name, value.to_vec())),
        1 => (name(), 0..99u8).prop_map(|(name, value)| Write::Json(name, value.to_string().into_bytes())),
        3 => name().prop_map(Write::Delete),
        1 => (name(), -9i64..9).prop_map(|(name, amount)| Write::Count(name, amount)),
        2 => (name(), element()).prop_map(|(name, element)| Write::Add(name, element)),
        2 => (name(), element()).prop_map(|(name, element)| Write::Remove(name, element)),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..NODES, prop::collection::vec(any_write(), 1..5), 0..40_000u64)
            .prop_map(|(at, writes, skew)| Step::Write(at, writes, NOW - 20_000 + skew)),
        4 => (0..NODES, 0..NODES).prop_map(|(from, to)| Step::Sync(from, to)),
        2 => (0..NODES, 0..NODES).prop_map(|(from, to)| Step::Ack(from, to)),
        3 => (any::<prop::sample::Index>(), 0..NODES).prop_map(|(push, to)| Step::Push(push, to)),
        2 => (0..NODES).prop_map(Step::Collect),
    ]
}

struct World {
    replicas: Vec<Replica>,
    /// What each node last heard from each that it had seen.
    acks: Vec<BTreeMap<NodeId, VectorClock>>,
    /// Every delta as it was pushed.
    log: Vec<Vec<u8>>,
}

impl World {
    fn run(steps: &[Step], collecting: bool) -> Self {
        let replicas: Vec<Replica> = (0..NODES).map(replica).collect();
        let mut world = Self { replicas, acks: vec![BTreeMap::new(); usize::from(NODES)], log: Vec::new() };
        for step in steps {
            match step {
                Step::Write(at, writes, now) => {
                    let delta = world.replicas[usize::from(*at)].commit(writes, *now, &key(*at)).unwrap();
                    if !delta.is_empty() {
                        world.log.push(delta);
                    }
                }
                Step::Sync(from, to) if from != to => world.sync(*from, *to),
                Step::Ack(from, to) => world.ack(*from, *to),
                Step::Push(push, to) if !world.log.is_empty() => {
                    let delta = &world.log[push.index(world.log.len())];
                    let report = world.replicas[usize::from(*to)].merge(delta, checked()).unwrap();
                    assert_eq!(report.refused, []);
                }
                Step::Collect(at) if collecting => world.collect(*at),
                _ => {}
            }
        }
        world
    }

    fn sync(&mut self, from: u8, to: u8) {
        let (from_at, to_at) = (usize::from(from), usize::from(to));
        let mut teller = self.replicas[from_at].clone();
        sync(&mut teller, &mut self.replicas[to_at]);
        self.acks[to_at].insert(node(from), teller.seen().clone());
    }

    fn ack(&mut self, from: u8, to: u8) {
        let seen = self.replicas[usize::from(from)].seen().clone();
        self.acks[usize::from(to)].insert(node(from), seen);
    }

    fn collect(&mut self, at: u8) {
        let none = VectorClock::new();
        let others = (0..NODES).filter(|other| *other != at).map(node);
        let acks = &self.acks[usize::from(at)];
        let members: Vec<(NodeId, VectorClock)> =
            others.map(|other| (other, acks.get(&other).unwrap_or(&none).clone())).collect();
        self.replicas[usize::from(at)].collect(&members).unwrap();
    }

    fn converge(&mut self) {
        for _ in 0..2 {
            for from in 0..NODES {
                for to in (0..NODES).filter(|to| *to != from) {
                    self.sync(from, to);
                }
            }
        }
    }
}

/// All a reader can see.
fn view(replica: &Replica) -> impl PartialEq + std::fmt::Debug + use<> {
    let names: Vec<(String, String)> =
        replica.names().iter().map(|name| ((*name).to_owned(), format!("{:?}", replica.get(name)))).collect();
    let shared: Vec<_> =
        ["a", "b", "c", "d"].iter().map(|name| (replica.counter(name), replica.elements(name))).collect();
    (names, shared, replica.live(), replica.state_hash())
}

/// The registers that hold something by the definition: of all operations on one, those no other had seen; of these,
/// the greatest clock, then author.
fn by_definition(log: &[Vec<u8>]) -> BTreeMap<String, Vec<u8>> {
    let deltas: Vec<(Delta, &[u8])> =
        log.iter().map(|bytes| (Delta::read(bytes, SCOPE, [0; 2]).unwrap(), bytes.as_slice())).collect();
    let mut by_name: BTreeMap<String, Vec<(&Header, u64, op::Op<'_>)>> = BTreeMap::new();
    for (delta, bytes) in &deltas {
        let header = &delta.groups[0].signed.header;
        for packed in &delta.ops {
            let op = op::Op::read(&mut Reader::new(&bytes[packed.at as usize..])).unwrap();
            if let Slot::Register(name) = Slot::read(op.kind, op.slot).unwrap() {
                by_name.entry(name.to_owned()).or_default().push((header, header.first + u64::from(packed.offset), op));
            }
        }
    }
    let mut held = BTreeMap::new();
    for (name, ops) in by_name {
        let unseen = ops
            .iter()
            .filter(|(header, seq, _)| !ops.iter().any(|(later, _, _)| later.seen.count(header.author) >= *seq));
        let winner = unseen.max_by_key(|(header, _, _)| (header.hlc, header.author)).unwrap();
        if winner.2.kind != op::TOMBSTONE {
            held.insert(name, winner.2.value.to_vec());
        }
    }
    held
}

fn plain(replica: &Replica) -> BTreeMap<String, Vec<u8>> {
    let value = |name: &&str| match replica.get(name) {
        Some(Value::Bytes(bytes) | Value::Json(bytes)) => ((*name).to_owned(), bytes.to_vec()),
        None => panic!("{name} is named and holds nothing"),
    };
    replica.names().iter().map(value).collect()
}

fn merged(deltas: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Replica {
    let mut one = replica(8);
    for delta in deltas {
        assert_eq!(one.merge(delta.as_ref(), checked()).unwrap().refused, []);
    }
    one
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_order_with_loss_and_repeats_ends_in_the_same_bytes(
        steps in prop::collection::vec(any_step(), 1..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        lost: Vec<bool>,
    ) {
        let mut world = World::run(&steps, false);
        let log = world.log.clone();
        world.converge();
        let whole = view(&world.replicas[0]);
        for replica in &world.replicas {
            prop_assert_eq!(view(replica), view(&world.replicas[0]));
            prop_assert_eq!(replica.seen(), world.replicas[0].seen());
        }
        prop_assert_eq!(plain(&world.replicas[0]), by_definition(&log));
        // Pushes in any order, repeated, some lost; then the rest by digest.
        let mut late = replica(8);
        if !log.is_empty() {
            for (at, pick) in order.iter().enumerate() {
                if !lost.get(at).copied().unwrap_or(false) {
                    late.merge(&log[pick.index(log.len())], checked()).unwrap();
                }
            }
        }
        sync(&mut world.replicas[1], &mut late);
        prop_assert_eq!(view(&late), whole);
        prop_assert_eq!(late.seen(), world.replicas[0].seen());
        prop_assert!(world.replicas[1].since(late.seen(), 99, usize::MAX).unwrap().is_empty(), "no more than is missing");
    }

    #[test]
    fn merging_is_commutative_associative_idempotent_and_batch_equal(steps in prop::collection::vec(any_step(), 1..30), cut: prop::sample::Index) {
        let world = World::run(&steps, false);
        let log = &world.log;
        let forward = merged(log);
        let backward = merged(log.iter().rev());
        prop_assert_eq!(view(&backward), view(&forward));
        prop_assert_eq!(backward.seen(), forward.seen());
        prop_assert_eq!(view(&merged(log.iter().chain(log))), view(&forward));
        // Joined as states: (a + b) + c and a + (b + c), each carried as one batch.
        let cut = if log.is_empty() { 0 } else { cut.index(log.len()) };
        let (mut left, mut right) = (merged(&log[..cut]), merged(&log[cut..]));
        let mut joined = left.clone();
        sync(&mut right, &mut joined);
        sync(&mut left, &mut right);
        prop_assert_eq!(view(&joined), view(&forward));
        prop_assert_eq!(view(&right), view(&forward));
        let trusted = Replica::restore(SCOPE, node(8), [3; 16], &joined.snapshot().unwrap(), Check::Trusted).unwrap();
        prop_assert_eq!(view(&trusted), view(&forward));
    }

    #[test]
    fn forgetting_changes_nothing_that_can_be_seen(
        steps in prop::collection::vec(any_step(), 1..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut plain = World::run(&steps, false);
        let mut lean = World::run(&steps, true);
        for world in [&mut plain, &mut lean] {
            world.converge();
        }
        for at in 0..usize::from(NODES) {
            prop_assert_eq!(view(&lean.replicas[at]), view(&plain.replicas[at]));
        }
        // Everybody has seen everything and said so: all tombstones go, and old deltas bring nothing back.
        for at in 0..NODES {
            lean.collect(at);
        }
        for (at, replica) in lean.replicas.iter_mut().enumerate() {
            prop_assert_eq!(replica.tombstones(), 0);
            if !lean.log.is_empty() {
                for pick in &order {
                    replica.merge(&lean.log[pick.index(lean.log.len())], checked()).unwrap();
                }
            }
            prop_assert_eq!(view(replica), view(&plain.replicas[at]));
            let copy = Replica::restore(SCOPE, node(8), [9; 16], &replica.snapshot().unwrap(), checked()).unwrap();
            prop_assert_eq!(view(&copy), view(replica));
        }
    }
}
