//! Vector clocks: merging and comparing clocks of 10, 100 and 1,000 nodes.

use std::hint::black_box;

use covey_core::clock::VectorClock;
use covey_core::id::NodeId;
use criterion::{Criterion, criterion_group, criterion_main};

fn clock(nodes: u64, seed: u64) -> VectorClock {
    let entry = |number: u64| {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        (NodeId::from_bytes(bytes), number.wrapping_mul(seed) % 97 + 1)
    };
    VectorClock::from_entries((0..nodes).map(entry)).expect("a clock below the bound")
}

fn merge(criterion: &mut Criterion) {
    for nodes in [10, 100, 1_000] {
        let (left, right) = (clock(nodes, 7), clock(nodes, 13));
        criterion.bench_function(&format!("clock merge/{nodes} nodes"), |bench| {
            bench.iter(|| black_box(&left).merged(black_box(&right)));
        });
        criterion.bench_function(&format!("clock compare/{nodes} nodes"), |bench| {
            bench.iter(|| black_box(&left).compare(black_box(&left)));
        });
    }
}

criterion_group!(benches, merge);
criterion_main!(benches);
