//! Shared state: merging 10,000 and 100,000 updated entries from wire bytes, with and without verification.

use std::hint::black_box;

use bytes::Bytes;
use covey_core::clock::VectorClock;
use covey_core::id::NodeId;
use covey_core::identity::{PublicKey, SigningKey};
use covey_core::state::{Check, Replica, Write};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const NOW: u64 = 1_790_000_000_000;

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32]).expect("any seed makes a key")
}

fn bound(author: NodeId) -> Option<PublicKey> {
    let number = author.as_bytes()[0];
    (number < 9).then(|| *key(number).public())
}

fn replica(number: u8) -> Replica {
    Replica::new("bench", NodeId::from_bytes([number; 16]), [number; 16]).expect("a scope within bounds")
}

/// A replica that holds `count` entries, and a delta in which another author overwrites all of them.
fn pair(count: usize) -> (Replica, Vec<u8>) {
    let mut first = replica(1);
    fill(&mut first, 1, count, 'a');
    let mut second = replica(2);
    for delta in first.since(second.seen(), usize::MAX, usize::MAX).expect("nothing is collected") {
        second.merge(&delta, Check::Trusted).expect("an honest delta");
    }
    fill(&mut second, 2, count, 'b');
    let delta = second.since(first.seen(), usize::MAX, usize::MAX).expect("nothing is collected").remove(0);
    (first, delta)
}

fn fill(replica: &mut Replica, author: u8, count: usize, letter: char) {
    let all: Vec<Write> = (0..count)
        .map(|number| Write::Bytes(format!("key:{number:08}"), letter.to_string().repeat(100).into_bytes()))
        .collect();
    for writes in all.chunks(2_048) {
        replica.commit(writes, NOW, &key(author)).expect("a flush within bounds");
    }
}

fn merge(criterion: &mut Criterion) {
    for count in [10_000, 100_000] {
        let (held, delta) = pair(count);
        let delta = Bytes::from(delta);
        let mut group = criterion.benchmark_group(format!("state merge/{count} entries"));
        group.throughput(Throughput::Elements(count as u64)).sample_size(20);
        let verified = Check::Verify { key: &bound, now_ms: NOW };
        for (name, check) in [("trusted", Check::Trusted), ("verified", verified)] {
            group.bench_function(name, |bench| {
                bench.iter_batched_ref(
                    || held.clone(),
                    |replica| replica.merge_kept(black_box(&delta), check).map(|report| report.applied),
                    BatchSize::PerIteration,
                );
            });
        }
        group.finish();
        println!("state delta/{count} entries: {} bytes an entry", delta.len() / count);
        let mut whole = held.clone();
        criterion.bench_function(&format!("state since/{count} entries"), |bench| {
            bench.iter(|| whole.since(&VectorClock::new(), usize::MAX, usize::MAX).map(|deltas| deltas.len()));
        });
        criterion.bench_function(&format!("state hash/{count} entries"), |bench| bench.iter(|| held.state_hash()));
    }
}

criterion_group!(benches, merge);
criterion_main!(benches);
