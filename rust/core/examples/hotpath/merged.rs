//! What peers merge of each other's state: vector clocks, and a delta of signed writes.

use std::hint::black_box;

use bytes::Bytes;
use covey_core::clock::VectorClock;
use covey_core::id::NodeId;
use covey_core::identity::SigningKey;
use covey_core::state::{Check, Replica, Write};

use crate::Round;
use crate::world::{BLOCKS, NOW, node};

/// Nodes of a clock.
const NODES: u64 = 100;
/// Entries that are held where so many of them are written anew.
const HELD: usize = 16 * BLOCKS;

fn clock(seed: u64) -> VectorClock {
    let entry = |number: u64| {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        (NodeId::from_bytes(bytes), number.wrapping_mul(seed) % 97 + 1)
    };
    VectorClock::from_entries((0..NODES).map(entry)).expect("a clock below the bound")
}

/// A clock merged with one of the same nodes, as often as there are blocks.
pub fn clocks() -> Round {
    let (left, right) = (clock(7), clock(13));
    Box::new(move || {
        for _ in 0..BLOCKS {
            black_box(black_box(&left).merged(black_box(&right)).expect("a clock below the bound"));
        }
    })
}

fn author(number: u8) -> (Replica, SigningKey) {
    let replica = Replica::new("bench", node(number), [number; 16]).expect("a scope within bounds");
    (replica, SigningKey::from_seed(&[number; 32]).expect("a seed"))
}

/// Write so many entries, spread over all that are held.
fn write((replica, key): &mut (Replica, SigningKey), count: usize, letter: &str) {
    let entry = |number: usize| Write::Bytes(format!("key:{:08}", number * (HELD / count)), letter.repeat(100).into());
    for some in (0..count).collect::<Vec<_>>().chunks(2_048) {
        replica.commit(&some.iter().copied().map(entry).collect::<Vec<_>>(), NOW, key).expect("a flush within bounds");
    }
}

/// A delta in which another author overwrites as many entries as there are blocks, from its bytes, its signature checked.
pub fn entries() -> Round {
    let (mut first, mut second) = (author(1), author(2));
    write(&mut first, HELD, "a");
    for delta in first.0.since(second.0.seen(), usize::MAX, usize::MAX).expect("nothing is collected") {
        second.0.merge(&delta, Check::Trusted).expect("an honest delta");
    }
    write(&mut second, BLOCKS, "b");
    let delta = second.0.since(first.0.seen(), usize::MAX, usize::MAX).expect("nothing is collected").remove(0);
    let (delta, mut held, key) = (Bytes::from(delta), first.0, *second.1.public());
    Box::new(move || {
        let bound = |_: NodeId| Some(key);
        let check = Check::Verify { key: &bound, now_ms: NOW };
        let report = held.merge_kept(black_box(&delta), check).expect("an honest delta");
        assert_eq!(report.applied, BLOCKS);
    })
}
