//! The hot path in stages, so that each can be counted and timed alone.
//!
//! `hotpath stages` names them; `hotpath count STAGE` runs one, for a counter of instructions (`tools/hotpath_count.py`);
//! `hotpath time` prints each stage in microseconds a block and the ratio to a strict signature check, in one run, and
//! `hotpath cores` the last lines of it alone: what a second core is worth.

mod samples;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use covey_core::category::{COUNT, Category, Weights};
use covey_core::compact;
use covey_core::encoder::{DIMENSIONS, Encoder, Kernel};
use covey_core::handshake::{Config, Entropy, Implementation};
use covey_core::id::NodeId;
use covey_core::identity::{Identity, SigningKey};
use covey_core::intake::{Intake, Policy};
use covey_core::record::{Batch, Draft, Unverified, Verified};
use covey_core::session::{Event, Session};
use covey_core::signature::{self, Familiar};
use covey_core::svaf::{Anchor, Features, Gate, Thresholds, Traces};
use covey_engine::Engine;

use samples::{table, texts, written};

const ROOM: &str = "bench";
const NOW: u64 = 1_800_000_000_000;
const BLOCK_COUNT: u16 = 256;
const BLOCKS: usize = BLOCK_COUNT as usize;
/// Blocks that make an author familiar, so that what is counted is the steady state.
const BEFORE: usize = 257;
const ROUNDS: usize = 41;

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32]).expect("a seed")
}

fn record(number: usize, key: &SigningKey) -> Verified {
    signed(texts(number), key)
}

fn signed(texts: [String; COUNT], key: &SigningKey) -> Verified {
    let mut draft = Draft::new(node(1), "author", NOW, ROOM).expect("a draft");
    for (category, text) in Category::ALL.into_iter().zip(texts) {
        draft.say(category, &text).expect("a text");
    }
    signature::sign(draft, key).expect("a record")
}

fn features(number: usize) -> Features<DIMENSIONS> {
    let texts = texts(number);
    Features::of_texts(Kernel::NgramH32, texts.each_ref().map(String::as_str))
}

fn session(side: u8, tokens: &[&str]) -> Config {
    let key = SigningKey::from_seed(&[side; 32]).expect("a seed");
    let identity = Identity::new(node(side), "bench", key).expect("a name");
    let implementation = Implementation { name: "bench".to_owned(), version: "1".to_owned() };
    Config {
        identity: Arc::new(identity),
        room: ROOM.to_owned(),
        implementation,
        extensions: tokens.iter().map(ToString::to_string).collect(),
    }
}

fn connected(tokens: &[&str]) -> (Session, Session) {
    let mut client = Session::client(session(1, tokens), &Entropy::new([1; 64]), None).expect("a valid hello");
    let mut server = Session::server(session(2, tokens), &Entropy::new([2; 64])).expect("a valid hello");
    server.receive(&client.take_output());
    client.receive(&server.take_output());
    server.receive(&client.take_output());
    client.send_anchors(&[]).expect("an open session");
    server.receive(&client.take_output());
    (client, server)
}

fn gate() -> Gate {
    Gate::new(Weights::UNIFORM, Thresholds::DEFAULT).expect("published thresholds are a gate")
}

fn distrusted(records: &[Verified]) -> Batch {
    Batch(records.iter().map(|record| Unverified::distrust(record.record().clone())).collect())
}

/// What every stage works on.
struct World {
    key: SigningKey,
    familiar: Familiar,
    blocks: Vec<Verified>,
    payloads: Vec<Vec<u8>>,
    jsons: Vec<Vec<u8>>,
    held: Vec<Features<DIMENSIONS>>,
    early: Vec<Verified>,
}

impl World {
    fn new() -> Self {
        let key = key();
        let blocks: Vec<_> = (0..BLOCKS).map(|number| record(number, &key)).collect();
        let payloads: Vec<_> = blocks.iter().map(|block| signature::payload(block.record())).collect();
        let mut familiar = Familiar::new(*key.public());
        for _ in 0..BEFORE {
            familiar.verify_bytes(&payloads[0], &blocks[0].record().metadata.signature, true).expect("it holds");
        }
        let jsons = blocks.iter().map(|block| block.record().to_json()).collect();
        let held = (1_000..2_000).map(features).collect();
        let early = (3_000..3_000 + BEFORE).map(|number| record(number, &key)).collect();
        Self { key, familiar, blocks, payloads, jsons, held, early }
    }

    /// An intake that knows the author well and holds its five newest blocks.
    fn intake(&self) -> Intake {
        let mut intake = Intake::new(node(2), ROOM, Policy::new(gate())).expect("an intake");
        intake.bind(node(1), *self.key.public());
        for records in self.early.chunks(BLOCKS) {
            intake.evaluate(distrusted(records), node(1), NOW).expect("a batch");
        }
        intake
    }

    fn stream(&self, tokens: &[&str]) -> (Session, Vec<u8>) {
        let (mut client, server) = connected(tokens);
        client.send_records(&self.blocks).expect("an open session");
        (server, client.take_output())
    }
}

/// A stage: what it needs for one round, made before the clock runs, and the round itself.
type Round = Box<dyn FnOnce()>;

/// Its name, and what prepares a round of it.
type Stage = (&'static str, fn(&mut World) -> Round);

const STAGES: [Stage; 23] = [
    ("check", check),
    ("familiar", familiar),
    ("address", address),
    ("parse", parse),
    ("encode", encode),
    ("judge-5", |world| judge(world, 5)),
    ("judge-1000", |world| judge(world, 1_000)),
    ("words-read", |_| read(Encoder::Words)),
    ("lexis-read", |_| read(Encoder::Lexis)),
    ("table-read", |_| read(table())),
    ("words-5", |world| words(world, 5)),
    ("words-64", |world| words(world, 64)),
    ("words-1000", |world| words(world, 1_000)),
    ("words-4096", |world| words(world, 4_096)),
    ("seal", seal),
    ("open", |world| open(world, STANDARD)),
    ("open-c1", |world| open(world, COMPACT)),
    ("open-c2", |world| open(world, COMPACT_2)),
    ("settle", settle),
    ("intake", intake),
    ("way", |world| way(world, STANDARD)),
    ("way-c1", |world| way(world, COMPACT)),
    ("way-c2", |world| way(world, COMPACT_2)),
];

/// What both sides offer: nothing for JSON envelopes, a token for each version of compact batches.
const STANDARD: &[&str] = &[];
const COMPACT: &[&str] = &[compact::TOKEN];
const COMPACT_2: &[&str] = &[compact::TOKEN, compact::TOKEN_2];

/// The strict check of a signature under a key nobody met before: the measure of all others.
fn check(world: &mut World) -> Round {
    let (payloads, blocks, public) = (world.payloads.clone(), world.blocks.clone(), *world.key.public());
    Box::new(move || {
        for (payload, block) in payloads.iter().zip(&blocks) {
            signature::verify_bytes(black_box(payload), &block.record().metadata.signature, &public).expect("it holds");
        }
    })
}

/// The same under the key of a busy author.
fn familiar(world: &mut World) -> Round {
    let (payloads, blocks) = (world.payloads.clone(), world.blocks.clone());
    let mut known = std::mem::replace(&mut world.familiar, Familiar::new(*world.key.public()));
    for _ in 0..BEFORE {
        known.verify_bytes(&payloads[0], &blocks[0].record().metadata.signature, true).expect("it holds");
    }
    Box::new(move || {
        for (payload, block) in payloads.iter().zip(&blocks) {
            known.verify_bytes(black_box(payload), &block.record().metadata.signature, true).expect("it holds");
        }
    })
}

fn address(world: &mut World) -> Round {
    let blocks = world.blocks.clone();
    Box::new(move || {
        for block in &blocks {
            let keys = covey_core::address::category_keys(black_box(block.record().texts()));
            black_box(covey_core::address::content_key(&keys));
            black_box(signature::payload(block.record()));
        }
    })
}

fn parse(world: &mut World) -> Round {
    let jsons = world.jsons.clone();
    Box::new(move || {
        for json in &jsons {
            black_box(Unverified::parse(black_box(json)).expect("canonical"));
        }
    })
}

fn encode(_: &mut World) -> Round {
    let all: Vec<_> = (0..BLOCKS).map(texts).collect();
    Box::new(move || {
        for texts in &all {
            black_box(Features::of_texts(Kernel::NgramH32, black_box(texts.each_ref().map(String::as_str))));
        }
    })
}

fn judge(world: &mut World, anchors: usize) -> Round {
    let (held, incoming) = (world.held[..anchors].to_vec(), (0..BLOCKS).map(features).collect::<Vec<_>>());
    Box::new(move || {
        let gate = gate();
        let anchors: Vec<_> = held.iter().map(|features| Anchor { features, decay: 1.0, confidence: 1.0 }).collect();
        for block in &incoming {
            black_box(gate.evaluate(black_box(block), 1.0, black_box(&anchors), false));
        }
    })
}

/// Read the texts of a block, as covey's own path does.
fn read(encoder: Encoder) -> Round {
    let all: Vec<_> = (0..BLOCKS).map(written).collect();
    Box::new(move || {
        for texts in &all {
            black_box(Traces::of_texts(&encoder, black_box(texts.each_ref().map(String::as_str))));
        }
    })
}

/// What covey's own path adds to a checked block: reading it, judging it against so many, and remembering it.
fn words(world: &mut World, held: usize) -> Round {
    let everything =
        Thresholds { stable: 2.0, guarded: 2.0, redundancy: 0.0, ..Thresholds::selective(&Encoder::Words) };
    let gate = Gate::new(Weights::UNIFORM, everything).expect("a gate");
    let policy = Policy { window: held, ..Policy::selective(gate, Encoder::Words) };
    let mut intake = Intake::new(node(2), ROOM, policy).expect("an intake");
    intake.bind(node(1), *world.key.public());
    // The author is familiar, as in the steady state; what it said then is behind what is held now.
    for records in world.early.chunks(BLOCKS) {
        intake.evaluate(distrusted(records), node(1), NOW - 1_000_000_000).expect("a batch");
    }
    // A block each second: what is a few minutes old counts less from one to the next.
    for (place, number) in (BLOCKS..BLOCKS + held).enumerate() {
        let stored_ms = NOW - 1_000 * u64::try_from(held - place).expect("a few thousand");
        intake.restore_anchor(signed(written(number), &world.key).record(), stored_ms);
    }
    let incoming: Vec<_> = (0..BLOCKS).map(|number| signed(written(number), &world.key)).collect();
    let checked = intake.check(distrusted(&incoming).0);
    Box::new(move || {
        black_box(intake.judge_checked(black_box(checked), node(1), NOW).expect("a batch"));
    })
}

fn seal(world: &mut World) -> Round {
    let (blocks, (mut client, _)) = (world.blocks.clone(), connected(STANDARD));
    Box::new(move || {
        client.send_records(black_box(&blocks)).expect("an open session");
        black_box(client.take_output());
    })
}

fn open(world: &mut World, tokens: &[&str]) -> Round {
    let (mut server, stream) = world.stream(tokens);
    Box::new(move || {
        black_box(server.receive(black_box(&stream)));
    })
}

/// What is left of intake once addresses and signatures are checked and texts are read: all of it runs on one core.
fn settle(world: &mut World) -> Round {
    let mut intake = world.intake();
    let checked = intake.check(distrusted(&world.blocks).0);
    Box::new(move || {
        black_box(intake.judge_checked(black_box(checked), node(1), NOW).expect("a batch"));
    })
}

fn intake(world: &mut World) -> Round {
    let (mut intake, batch) = (world.intake(), distrusted(&world.blocks));
    Box::new(move || {
        black_box(intake.evaluate(black_box(batch), node(1), NOW).expect("a batch"));
    })
}

/// From the bytes of a socket to outcomes.
fn way(world: &mut World, tokens: &[&str]) -> Round {
    let (mut intake, (mut server, stream)) = (world.intake(), world.stream(tokens));
    Box::new(move || {
        for event in server.receive(black_box(&stream)) {
            if let Event::Records(batch) = event {
                black_box(intake.evaluate(batch, node(1), NOW).expect("a batch"));
            }
        }
    })
}

/// Run one stage once, over all blocks.
fn count(world: &mut World, stage: &str) -> Result<(), String> {
    let found = STAGES.into_iter().find(|(name, _)| *name == stage);
    let (_, prepare) = found.ok_or_else(|| format!("stage: no {stage}; `hotpath stages` names them"))?;
    counted(prepare(world));
    Ok(())
}

/// What a counter of instructions looks for by its name: only what runs in here is counted.
#[inline(never)]
fn counted(round: Round) {
    round();
}

/// Microseconds a block of each stage: the fastest fifth of rounds that alternate, which other work disturbs least.
fn time(world: &mut World) {
    let mut taken = vec![Vec::new(); STAGES.len()];
    for _ in 0..ROUNDS {
        for (place, (_, prepare)) in STAGES.into_iter().enumerate() {
            let round = prepare(world);
            let start = Instant::now();
            round();
            taken[place].push(start.elapsed().as_secs_f64() * 1e6 / f64::from(BLOCK_COUNT));
        }
    }
    let low = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 5]
    };
    let figures: Vec<f64> = taken.iter_mut().map(low).collect();
    println!("{:12} {:>10} {:>16}", "stage", "us/block", "rate to a check");
    for ((name, _), figure) in STAGES.iter().zip(&figures) {
        println!("{name:12} {figure:10.3} {:16.3}", figures[0] / figure);
    }
    let figure =
        |stage: &str| STAGES.iter().zip(&figures).find(|((name, _), _)| *name == stage).map_or(0.0, |it| *it.1);
    // Summed of its parts, since the difference of two ways that both check signatures is smaller than what they vary by.
    // In version 2 opening computes the addresses; `encode` is what reading texts takes.
    let rest = figure("settle") + figure("encode");
    for (form, parts) in [
        ("envelopes", figure("open") + figure("address")),
        ("compact batches", figure("open-c1") + figure("address")),
        ("version 2", figure("open-c2")),
    ] {
        println!("everything but the signature, {form}: {:.2} us a block", parts + rest);
    }
}

/// Blocks of one round over a whole way: several batches, so that opening one and judging another can overlap.
const LONG: u16 = 8 * BLOCK_COUNT;
/// What one read of a socket brings.
const READ_BYTES: usize = 262_144;
const LONG_ROUNDS: usize = 15;

/// Take a stream from bytes to outcomes, on one core or on two, once all are ready; return microseconds a block.
fn stretch(world: &World, long: &[Verified], tokens: &[&str], workers: usize, ready: &Barrier) -> f64 {
    let (mut intake, engine, (mut client, mut server)) = (world.intake(), Engine::new(workers), connected(tokens));
    client.send_records(long).expect("an open session");
    let stream = client.take_output();
    ready.wait();
    let start = Instant::now();
    for read in stream.chunks(READ_BYTES) {
        for event in engine.receive(&mut server, read) {
            if let Event::Records(batch) = event {
                black_box(engine.evaluate(&mut intake, batch, node(1), NOW).expect("a batch"));
            }
        }
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(LONG)
}

/// The same twice at once, on one core each and with nothing in common: what a second core is worth at most.
fn apart(world: &World, long: &[Verified], tokens: &[&str]) -> f64 {
    let ready = Barrier::new(2);
    let one = || stretch(world, long, tokens, 1, &ready);
    thread::scope(|scope| {
        let other = scope.spawn(one);
        one().max(other.join().expect("it only computes")) / 2.0
    })
}

/// Native intake beside the strict check of signatures on one core, and what a second core is worth. Rounds alternate,
/// and each ratio is of one round, so that what else the machine does cancels; the median of them counts.
fn cores(world: &mut World) {
    let long: Vec<_> = (0..usize::from(LONG)).map(|number| record(10_000 + number, &world.key)).collect();
    for (form, tokens) in [("envelopes", STANDARD), ("compact batches", COMPACT), ("version 2", COMPACT_2)] {
        let (mut rates, mut gains, mut most) = (Vec::new(), Vec::new(), Vec::new());
        let alone = Barrier::new(1);
        for _ in 0..LONG_ROUNDS {
            let round = check(world);
            let start = Instant::now();
            round();
            let check = start.elapsed().as_secs_f64() * 1e6 / f64::from(BLOCK_COUNT);
            let (one, two) = (stretch(world, &long, tokens, 1, &alone), stretch(world, &long, tokens, 2, &alone));
            rates.push(check / one);
            gains.push(one / two);
            most.push(one / apart(world, &long, tokens));
        }
        let median = |ratios: &mut Vec<f64>| {
            ratios.sort_by(f64::total_cmp);
            ratios[ratios.len() / 2]
        };
        let (rate, gain, most) = (median(&mut rates), median(&mut gains), median(&mut most));
        println!(
            "native intake, {form}: {rate:.2} of the rate of strict checks on one core; two cores {gain:.2} times that, \
             where two intakes with nothing in common make {most:.2}"
        );
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["stages"] => {
            for (name, _) in STAGES {
                println!("{name}");
            }
            Ok(())
        }
        ["blocks"] => {
            println!("{BLOCKS}");
            Ok(())
        }
        ["count", stage] => count(&mut World::new(), stage),
        ["cores"] => {
            cores(&mut World::new());
            Ok(())
        }
        ["time"] => {
            let mut world = World::new();
            time(&mut world);
            cores(&mut world);
            Ok(())
        }
        _ => Err("usage: hotpath stages | blocks | count STAGE | time | cores".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("hotpath: {problem}");
            ExitCode::from(2)
        }
    }
}
