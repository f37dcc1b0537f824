//! Admission: encoding, evaluating against 5, 64 and 1,000 anchors, and the whole way of a block through intake.

use std::hint::black_box;

use covey_core::category::{COUNT, Category, Weights};
use covey_core::encoder::{DIMENSIONS, Encoder, Kernel};
use covey_core::id::NodeId;
use covey_core::identity::SigningKey;
use covey_core::intake::{Intake, Policy};
use covey_core::record::{Batch, Draft, Unverified, Verified};
use covey_core::signature;
use covey_core::svaf::{Anchor, Features, Gate, Thresholds};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const ROOM: &str = "bench";
const NOW: u64 = 1_800_000_000_000;
const WORDS: [&str; 16] = [
    "cache", "retry", "login", "signal", "robot", "vision", "training", "meeting", "growth", "citation", "branch",
    "customer", "schedule", "layout", "dataset", "sensor",
];
const ANCHORS: [usize; 3] = [5, 64, 1_000];

/// Seven texts of six words each, another for each number.
fn texts(number: usize) -> [String; COUNT] {
    std::array::from_fn(|category| {
        let words = (0..6).map(|place| WORDS[(number * 31 + category * 7 + place * (number % 13 + 1)) % WORDS.len()]);
        format!("{} {number}", words.collect::<Vec<_>>().join(" "))
    })
}

fn features(number: usize) -> Features<DIMENSIONS> {
    let texts = texts(number);
    Features::of_texts(Kernel::NgramH32, texts.each_ref().map(String::as_str))
}

fn gate() -> Gate {
    Gate::new(Weights::UNIFORM, Thresholds::DEFAULT).expect("published thresholds are a gate")
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn record(number: usize, key: &SigningKey) -> Verified {
    let mut draft = Draft::new(node(1), "author", NOW, ROOM).expect("a draft");
    for (category, text) in Category::ALL.into_iter().zip(texts(number)) {
        draft.say(category, &text).expect("a text");
    }
    signature::sign(draft, key).expect("a record")
}

fn encode(criterion: &mut Criterion) {
    let texts = texts(3);
    criterion.bench_function("encode/block of seven texts", |bench| {
        bench.iter(|| Features::of_texts(Kernel::NgramH32, black_box(texts.each_ref().map(String::as_str))));
    });
}

/// Encoding a block and judging it: what admission costs once the signature holds.
fn evaluate(criterion: &mut Criterion) {
    let (gate, texts) = (gate(), texts(0));
    for count in ANCHORS {
        let held: Vec<_> = (1..=count).map(features).collect();
        let anchors: Vec<_> = held.iter().map(|features| Anchor { features, decay: 1.0, confidence: 1.0 }).collect();
        criterion.bench_function(&format!("evaluate/{count} anchors"), |bench| {
            bench.iter(|| {
                let incoming = Features::of_texts(Kernel::NgramH32, black_box(texts.each_ref().map(String::as_str)));
                gate.evaluate(&incoming, 1.0, black_box(&anchors), false)
            });
        });
    }
}

/// A full call: verification, memory, admission, for 256 new blocks, by the baseline and by the default path.
fn intake(criterion: &mut Criterion) {
    let key = SigningKey::from_seed(&[7; 32]).expect("a key");
    let blocks: Vec<Unverified> =
        (0..256).map(|number| Unverified::distrust(record(number, &key).record().clone())).collect();
    let mut group = criterion.benchmark_group("intake");
    group.throughput(Throughput::Elements(256)).sample_size(20);
    let own =
        Gate::new(Weights::UNIFORM, Thresholds::selective(&Encoder::Words)).expect("published thresholds are a gate");
    let paths = [("baseline", Policy::new(gate())), ("default", Policy::selective(own, Encoder::Words))];
    for ((name, policy), count) in paths.iter().flat_map(|path| ANCHORS.map(|count| (path, count))) {
        let anchors: Vec<_> = (1_000..1_000 + count).map(|number| record(number, &key)).collect();
        group.bench_function(format!("256 blocks, {count} anchors, {name}"), |bench| {
            bench.iter_batched(
                || {
                    let policy = Policy { window: count, ..policy.clone() };
                    let mut intake = Intake::new(node(0), ROOM, policy).expect("an intake");
                    intake.bind(node(1), *key.public());
                    for anchor in &anchors {
                        intake.restore_anchor(anchor.record(), NOW);
                    }
                    (intake, Batch(blocks.clone()))
                },
                |(mut intake, batch)| intake.evaluate(batch, node(1), NOW).map(|outcomes| (intake, outcomes)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, encode, evaluate, intake);
criterion_main!(benches);
