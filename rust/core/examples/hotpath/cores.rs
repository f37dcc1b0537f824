//! Native intake beside checks of signatures, like beside like, and what a second core is worth.
//!
//! Unknown authors stand beside the strict check under a key nobody met before, a familiar author beside the check that
//! its own key gets, which is cheaper; what lies between is given too, and named. Either is judged in both ways.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use covey_core::intake::Intake;
use covey_core::record::Verified;
use covey_core::session::Event;
use covey_engine::Engine;

use crate::world::{BLOCK_COUNT, NOW, Strangers, World, connected, node};
use crate::{COMPACT, COMPACT_2, Round, STANDARD, check, familiar};

/// Blocks of one round over a whole way: several batches, so that opening one and judging another can overlap.
const LONG: u16 = 8 * BLOCK_COUNT;
/// What one read of a socket brings.
const READ_BYTES: usize = 262_144;

/// Take a stream from bytes to outcomes, on one core or on two, once all are ready; return microseconds a block.
fn stretch(mut intake: Intake, long: &[Verified], tokens: &[&str], workers: usize, ready: &Barrier) -> f64 {
    let (engine, (mut client, mut server)) = (Engine::new(workers), connected(tokens));
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
    let one = || stretch(world.intake(), long, tokens, 1, &ready);
    thread::scope(|scope| {
        let other = scope.spawn(one);
        one().max(other.join().expect("it only computes")) / 2.0
    })
}

fn timed(round: Round) -> f64 {
    let start = Instant::now();
    round();
    start.elapsed().as_secs_f64() * 1e6 / f64::from(BLOCK_COUNT)
}

fn median(ratios: &mut [f64]) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// The ratios of one way of judging, all forms of the wire. Rounds alternate, and each ratio is of one round, so that
/// what else the machine does cancels; the median of them counts.
pub fn cores(world: &mut World, rounds: usize) {
    let (long, strangers) = (world.long(usize::from(LONG)), Strangers::new(world.judged, usize::from(LONG)));
    for (form, tokens) in [("envelopes", STANDARD), ("compact batches", COMPACT), ("version 2", COMPACT_2)] {
        let mut found: [Vec<f64>; 5] = Default::default();
        let alone = Barrier::new(1);
        for _ in 0..rounds {
            let (unknown, known) = (timed(check(world)), timed(familiar(world)));
            let met = stretch(strangers.intake(), &strangers.said, tokens, 1, &alone);
            let one = stretch(world.intake(), &long, tokens, 1, &alone);
            let two = stretch(world.intake(), &long, tokens, 2, &alone);
            let ratios = [unknown / met, known / one, unknown / one, one / two, one / apart(world, &long, tokens)];
            found.iter_mut().zip(ratios).for_each(|(all, ratio)| all.push(ratio));
        }
        let [strange, own, mixed, gain, most] = found.each_mut().map(|ratios| median(ratios));
        println!(
            "native intake, {form}, {}: unknown authors {strange:.2} of the rate of strict checks on one core; a familiar \
             author {own:.2} of the rate of checks under its own key, {mixed:.2} of that of strict checks; two cores \
             {gain:.2} times one, where two intakes with nothing in common make {most:.2}",
            world.judged.said()
        );
    }
}
