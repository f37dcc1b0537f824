//! What admission takes against a thousand held blocks of seven vectors of 384 numbers, as a ratio to reading a
//! thousand such blocks from memory once.
//!
//! `cargo run --release --example width` makes a table of random vectors, lets an intake hold a thousand blocks that it
//! read, and judges others against them: checked before, so that reading texts and signatures is not in it. Beside it
//! stands one pass over 1,000 x 7 x 384 numbers of 32 bits, which is what a comparison with all of them has to read.
//! Rounds of both take turns, and the median of each counts. With `--quick` there is one round, which says that it runs.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use covey_core::category::{COUNT, Category, Weights};
use covey_core::encoder::{Encoder, Table};
use covey_core::id::NodeId;
use covey_core::identity::SigningKey;
use covey_core::intake::{Intake, Policy};
use covey_core::record::{Batch, Draft, Unverified, Verified};
use covey_core::signature;
use covey_core::svaf::{Gate, Thresholds};
use covey_kernels::{Work, widest};

const ROOM: &str = "bench";
const NOW: u64 = 1_800_000_000_000;
const DIMENSIONS: usize = 384;
const VOCABULARY: usize = 2_000;
const HELD: usize = 1_000;
const BLOCKS: usize = 256;
const ROUNDS: usize = 15;
const QUICK_ROUNDS: usize = 1;
/// Lanes of the pass over memory: sums of their own, so that adding does not wait for adding.
const LANES: usize = 64;

/// The next of a fixed series of numbers.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// A table of random vectors, in the layout that users bring.
fn table() -> Table {
    let mut state = 7;
    let mut numbers = Vec::with_capacity(VOCABULARY * DIMENSIONS * 4);
    for _ in 0..VOCABULARY * DIMENSIONS {
        let number = f32::from(u16::try_from(next(&mut state) % 2_001).expect("small")) / 1_000.0 - 1.0;
        numbers.extend_from_slice(&number.to_le_bytes());
    }
    let header = format!(
        r#"{{"embeddings":{{"dtype":"F32","shape":[{VOCABULARY},{DIMENSIONS}],"data_offsets":[0,{}]}}}}"#,
        numbers.len()
    );
    let length = u64::try_from(header.len()).expect("short").to_le_bytes();
    let matrix = [length.as_slice(), header.as_bytes(), &numbers].concat();
    let words: Vec<_> = (0..VOCABULARY).map(|number| format!(r#""w{number}":{number}"#)).collect();
    let tokenizer = format!(r#"{{"model":{{"type":"WordLevel","vocab":{{{}}}}}}}"#, words.join(","));
    Table::read(&matrix, tokenizer.as_bytes()).expect("a table")
}

fn record(number: usize, key: &SigningKey) -> Verified {
    let mut draft = Draft::new(NodeId::from_bytes([1; 16]), "author", NOW, ROOM).expect("a draft");
    let mut state = u64::try_from(number).expect("small");
    for category in Category::ALL {
        let words: Vec<_> =
            (0..8).map(|_| format!("w{}", next(&mut state) % u64::try_from(VOCABULARY).expect("small"))).collect();
        draft.say(category, &words.join(" ")).expect("a text");
    }
    signature::sign(draft, key).expect("a record")
}

/// Seconds that judging takes, reading and signatures left out.
fn judged(key: &SigningKey, encoder: &Encoder, incoming: &[Verified]) -> f64 {
    let everything = Thresholds { stable: 2.0, guarded: 2.0, redundancy: 0.0, ..Thresholds::selective(encoder) };
    let gate = Gate::new(Weights::UNIFORM, everything).expect("a gate");
    let policy = Policy { window: HELD, ..Policy::selective(gate, encoder.clone()) };
    let mut intake = Intake::new(NodeId::from_bytes([2; 16]), ROOM, policy).expect("an intake");
    intake.bind(NodeId::from_bytes([1; 16]), *key.public());
    for number in BLOCKS..BLOCKS + HELD {
        intake.restore_anchor(record(number, key).record(), NOW - 1_000);
    }
    let batch = Batch(incoming.iter().map(|record| Unverified::distrust(record.record().clone())).collect());
    let checked = intake.check(batch.0);
    let began = Instant::now();
    black_box(intake.judge_checked(black_box(checked), NodeId::from_bytes([1; 16]), NOW).expect("a batch"));
    began.elapsed().as_secs_f64()
}

/// One pass over the numbers, by vectors as wide as judging has them: what bounds it is memory, not adding.
struct Pass<'a>(&'a [f32]);

impl Work for Pass<'_> {
    type Out = [f32; LANES];

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled with its caller, for wide vectors too")]
    fn run(self) -> [f32; LANES] {
        let mut sums = [0.0_f32; LANES];
        for row in self.0.chunks_exact(LANES) {
            for (sum, number) in sums.iter_mut().zip(row) {
                *sum += number;
            }
        }
        sums
    }
}

/// Seconds that one pass over the numbers takes.
fn passed(numbers: &[f32]) -> f64 {
    let began = Instant::now();
    black_box(widest(Pass(black_box(numbers))));
    began.elapsed().as_secs_f64()
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => measure(ROUNDS),
        ["--quick"] => measure(QUICK_ROUNDS),
        _ => {
            eprintln!("usage: width [--quick]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn measure(rounds: usize) {
    let key = SigningKey::from_seed(&[7; 32]).expect("a seed");
    let encoder = Encoder::Table(Arc::new(table()));
    let incoming: Vec<_> = (0..BLOCKS).map(|number| record(number, &key)).collect();
    let numbers = vec![1.0_f32; HELD * COUNT * DIMENSIONS];
    let (mut judging, mut passing) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        judging.push(judged(&key, &encoder, &incoming));
        passing.push(median((0..9).map(|_| passed(&numbers)).collect()));
    }
    let count = f64::from(u32::try_from(BLOCKS).expect("small"));
    let (judge, pass) = (median(judging) / count * 1e6, median(passing) * 1e6);
    println!("{HELD} held blocks of {COUNT} x {DIMENSIONS} numbers: {judge:.1} us a block to judge");
    println!("one pass over as many numbers of 32 bits: {pass:.1} us; ratio {:.2}", judge / pass);
}
