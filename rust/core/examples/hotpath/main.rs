//! The hot path in stages, so that each can be counted and timed alone.
//!
//! `hotpath stages` names them; `hotpath count STAGE` runs one, for a counter of instructions (`tools/hotpath_count.py`);
//! `hotpath time` prints each stage in microseconds a block and the ratio to a strict signature check, in one run, and
//! `hotpath cores` the last lines of it alone: what a second core is worth. `hotpath time --quick` is one round of each:
//! it says that all of it runs, and nothing about how fast.

mod cores;
mod merged;
mod samples;
mod world;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use covey_core::compact;
use covey_core::encoder::{Encoder, Kernel};
use covey_core::record::Unverified;
use covey_core::session::Event;
use covey_core::signature::{self, Familiar};
use covey_core::svaf::{Anchor, Features, Traces};

use merged::{clocks, entries};
use samples::{table, texts, written};
use world::{
    BEFORE, BLOCK_COUNT, BLOCKS, Judged, NOW, World, connected, distrusted, features, fresh, gate, node, signed,
};

const ROUNDS: usize = 41;
const LONG_ROUNDS: usize = 15;
const QUICK_ROUNDS: usize = 1;

/// A stage: what it needs for one round, made before the clock runs, and the round itself.
type Round = Box<dyn FnOnce()>;

/// Its name, and what prepares a round of it.
type Stage = (&'static str, fn(&mut World) -> Round);

const STAGES: [Stage; 25] = [
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
    ("seal", |world| seal(world, STANDARD)),
    ("open", |world| open(world, STANDARD)),
    ("open-c1", |world| open(world, COMPACT)),
    ("open-c2", |world| open(world, COMPACT_2)),
    ("settle", settle),
    ("intake", intake),
    ("way", |world| way(world, STANDARD)),
    ("way-c1", |world| way(world, COMPACT)),
    ("way-c2", |world| way(world, COMPACT_2)),
    ("clock-merge", |_| clocks()),
    ("state-merge", |_| entries()),
];

/// What a block as agents write it takes on covey's own path, and what its speaker does for it.
const OWN: [Stage; 12] = [
    ("own-sign", sign),
    ("own-address", address),
    ("own-seal", |world| seal(world, STANDARD)),
    ("own-seal-c1", |world| seal(world, COMPACT)),
    ("own-seal-c2", |world| seal(world, COMPACT_2)),
    ("own-open", |world| open(world, STANDARD)),
    ("own-open-c1", |world| open(world, COMPACT)),
    ("own-open-c2", |world| open(world, COMPACT_2)),
    ("own-settle", settle),
    ("own-way", |world| way(world, STANDARD)),
    ("own-way-c1", |world| way(world, COMPACT)),
    ("own-way-c2", |world| way(world, COMPACT_2)),
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

/// The signature alone, over a payload that is there.
fn sign(world: &mut World) -> Round {
    let (payloads, key) = (world.payloads.clone(), world.key.clone());
    Box::new(move || {
        for payload in &payloads {
            black_box(key.sign_bytes(black_box(payload)));
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
    let mut intake = fresh(world::words(held));
    // The author is familiar, as in the steady state; what it said then is behind what is held now.
    world.hear(&mut intake, NOW - 1_000_000_000);
    // A block each second: what is a few minutes old counts less from one to the next.
    for (place, number) in (BLOCKS..BLOCKS + held).enumerate() {
        let stored_ms = NOW - 1_000 * u64::try_from(held - place).expect("a few thousand");
        intake.restore_anchor(signed(node(1), written(number), &world.key).record(), stored_ms);
    }
    let incoming: Vec<_> = (0..BLOCKS).map(|number| signed(node(1), written(number), &world.key)).collect();
    let checked = intake.check(distrusted(&incoming).0);
    Box::new(move || {
        black_box(intake.judge_checked(black_box(checked), node(1), NOW).expect("a batch"));
    })
}

fn seal(world: &mut World, tokens: &[&str]) -> Round {
    let (blocks, (mut client, _)) = (world.blocks.clone(), connected(tokens));
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

/// Every stage, and by whom what it works on is judged.
fn stages() -> impl Iterator<Item = (Judged, Stage)> {
    let baseline = STAGES.into_iter().map(|stage| (Judged::Baseline, stage));
    baseline.chain(OWN.into_iter().map(|stage| (Judged::Own, stage)))
}

/// Run one stage once, over all blocks.
fn count(stage: &str) -> Result<(), String> {
    let found = stages().find(|(_, (name, _))| *name == stage);
    let (judged, (_, prepare)) = found.ok_or_else(|| format!("stage: no {stage}; `hotpath stages` names them"))?;
    counted(prepare(&mut World::new(judged)));
    Ok(())
}

/// What a counter of instructions looks for by its name: only what runs in here is counted.
#[inline(never)]
fn counted(round: Round) {
    round();
}

/// Microseconds a block of each stage: the fastest fifth of rounds that alternate, which other work disturbs least.
fn time(worlds: &mut [World; 2], rounds: usize) {
    let stages: Vec<_> = stages().collect();
    let mut taken = vec![Vec::new(); stages.len()];
    for _ in 0..rounds {
        for ((judged, (_, prepare)), times) in stages.iter().zip(&mut taken) {
            let round = prepare(&mut worlds[usize::from(*judged == Judged::Own)]);
            let start = Instant::now();
            round();
            times.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(BLOCK_COUNT));
        }
    }
    let low = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 5]
    };
    let figures: Vec<_> = stages.iter().zip(&mut taken).map(|((_, (name, _)), times)| (*name, low(times))).collect();
    println!("{:12} {:>10} {:>16}", "stage", "us/block", "rate to a check");
    for (name, figure) in &figures {
        println!("{name:12} {figure:10.3} {:16.3}", figures[0].1 / figure);
    }
    rests(|stage| figures.iter().find(|(name, _)| *name == stage).map_or(0.0, |it| it.1));
}

/// Everything but the signature, summed of its parts, since the difference of two ways that both check signatures is
/// smaller than what they vary by. In version 2 opening computes the addresses; `encode` is what reading texts takes.
fn rests(figure: impl Fn(&str) -> f64) {
    for (judged, own, read) in [(Judged::Baseline, "", "encode"), (Judged::Own, "own-", "words-read")] {
        let part = |stage: &str| figure(&format!("{own}{stage}"));
        let rest = part("settle") + figure(read);
        for (form, parts) in [
            ("envelopes", part("open") + part("address")),
            ("compact batches", part("open-c1") + part("address")),
            ("version 2", part("open-c2")),
        ] {
            println!("everything but the signature, {form}, {}: {:.2} us a block", judged.said(), parts + rest);
        }
    }
}

/// Every stage, then the ways as a whole.
fn timed(rounds: usize, long_rounds: usize) {
    let mut worlds = [World::new(Judged::Baseline), World::new(Judged::Own)];
    time(&mut worlds, rounds);
    for world in &mut worlds {
        cores::cores(world, long_rounds);
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["stages"] => {
            for (_, (name, _)) in stages() {
                println!("{name}");
            }
            Ok(())
        }
        ["blocks"] => {
            println!("{BLOCKS}");
            Ok(())
        }
        ["count", stage] => count(stage),
        ["cores"] => {
            for judged in [Judged::Baseline, Judged::Own] {
                cores::cores(&mut World::new(judged), LONG_ROUNDS);
            }
            Ok(())
        }
        ["time"] => {
            timed(ROUNDS, LONG_ROUNDS);
            Ok(())
        }
        ["time", "--quick"] => {
            timed(QUICK_ROUNDS, QUICK_ROUNDS);
            Ok(())
        }
        _ => Err("usage: hotpath stages | blocks | count STAGE | time [--quick] | cores".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("hotpath: {problem}");
            ExitCode::from(2)
        }
    }
}
