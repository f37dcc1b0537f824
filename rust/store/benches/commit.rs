//! Blocks a second made durable, in batches of 256: records, decisions, seen-set, inbox, one transaction each.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use covey_core::category::{Category, Weights};
use covey_core::id::NodeId;
use covey_core::identity::SigningKey;
use covey_core::intake::{Intake, OutcomeBatch, Policy};
use covey_core::record::{Batch, Draft, Unverified};
use covey_core::signature::sign;
use covey_core::svaf::{Gate, Thresholds};
use covey_store::Store;
use criterion::{BenchmarkId, Criterion, Throughput};

const NOW: u64 = 1_790_000_000_000;
const ME: NodeId = NodeId::from_bytes([1; 16]);
const ANN: NodeId = NodeId::from_bytes([2; 16]);

/// Judged blocks that memory takes, each of about 1.6 kB, all different.
struct Blocks {
    intake: Intake,
    key: SigningKey,
    next: u64,
}

impl Blocks {
    fn new() -> Self {
        let open = Thresholds { stable: 2.0, guarded: 2.0, redundancy: 0.0, ..Thresholds::REFERENCE };
        let gate = Gate::new(Weights::UNIFORM, open).expect("these thresholds are in range");
        let key = SigningKey::from_seed(&[7; 32]).expect("any seed is a key");
        let mut intake = Intake::new(ME, "den", Policy::new(gate)).expect("the room is valid");
        intake.bind(ANN, *key.public());
        Self { intake, key, next: 0 }
    }

    fn batch(&mut self, size: u64) -> OutcomeBatch {
        let records = (0..size).map(|_| self.record()).collect();
        self.intake.evaluate(Batch(records), ANN, NOW).expect("a batch of 256 fits")
    }

    fn record(&mut self) -> Unverified {
        self.next += 1;
        let mut draft = Draft::new(ANN, "ann", NOW, "den").expect("the label and room are valid");
        for category in Category::ALL {
            let said = format!("{} of block {}: some forty letters of plain text", category.name(), self.next);
            draft.say(category, &said).expect("the text is short");
        }
        Unverified::distrust(sign(draft, &self.key).expect("the key signs").into_record())
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("covey-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("the folder is ours");
    }
}

fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store/commit");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    for size in [1_u64, 16, 256] {
        let folder = Folder::new(&format!("commit-{size}"));
        let store = Store::open(folder.0.join("store.db"), ME).expect("a new store opens");
        let mut blocks = Blocks::new();
        group.throughput(Throughput::Elements(size));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_custom(|rounds| {
                let batches: Vec<_> = (0..rounds).map(|_| blocks.batch(size)).collect();
                let started = Instant::now();
                for batch in &batches {
                    black_box(store.commit(&[batch], NOW).expect("the commit succeeds"));
                }
                started.elapsed()
            });
        });
    }
    group.finish();
}

fn recall(criterion: &mut Criterion) {
    let folder = Folder::new("recall");
    let store = Store::open(folder.0.join("store.db"), ME).expect("a new store opens");
    let mut blocks = Blocks::new();
    for _ in 0..40 {
        store.commit(&[&blocks.batch(256)], NOW).expect("the commit succeeds");
    }
    let mut group = criterion.benchmark_group("store/recall");
    group.sample_size(10).throughput(Throughput::Elements(512));
    group.bench_function("index a slice of 512", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                store.commit(&[&blocks.batch(256), &blocks.batch(256)], NOW).expect("the commit succeeds");
                while store.stats().expect("stats read").recall_lag > 512 {
                    store.index().expect("the index grows");
                }
                let started = Instant::now();
                store.index().expect("the index grows");
                spent += started.elapsed();
            }
            spent
        });
    });
    group.throughput(Throughput::Elements(1));
    for (name, query) in [("a rare word", "4711"), ("a word that is everywhere", "letters"), ("two words", "mood 4711")]
    {
        group
            .bench_function(name, |bencher| bencher.iter(|| black_box(store.recall(query, 10).expect("recall reads"))));
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    commit(&mut criterion);
    recall(&mut criterion);
    criterion.final_summary();
}
