//! The blocks that newcomers are compared with, as the path in use reads them.
//!
//! The baseline holds the newest few and compares with all of them. covey's own path holds thousands: where there are
//! more than can be compared exactly, a sketch of each says which of them may matter.

use std::collections::BTreeSet;

use super::Selection;
use super::recent::{Call, Recent};
use crate::category::COUNT;
use crate::encoder::{DIMENSIONS, Kernel};
use crate::id::ContentKey;
use crate::limits::{CANDIDATES, CANDIDATES_NEWEST, ROLLBACK_SPAN, SCANNED_EXACTLY};
use crate::svaf::{Anchor, Candidate, Circumstances, Evaluation, Features, Gate, Traces};

/// One block.
#[derive(Debug)]
pub(super) struct Held<T> {
    pub key: ContentKey,
    pub read: T,
    pub stored_ms: u64,
    /// What its lifecycle makes of it: 1 for an observation.
    pub weight: f64,
}

/// What a block says, as the path in use reads it.
#[derive(Debug)]
pub(super) enum Reading {
    Baseline(Box<Features<DIMENSIONS>>),
    Selective(Box<Traces>),
}

/// All of them.
#[derive(Debug)]
pub(super) enum Memory {
    Baseline(Kernel, Recent<Held<Box<Features<DIMENSIONS>>>>),
    Selective(Selection, Recent<Held<Box<Traces>>>),
}

/// A judgement: the evaluation, how many blocks it was compared with, and the nearest for each category.
pub(super) type Found = (Evaluation, usize, [Option<ContentKey>; COUNT]);

impl Memory {
    pub(super) fn new(select: Option<&Selection>, window: usize) -> Self {
        match select {
            None => Self::Baseline(Kernel::NgramH32, Recent::new(window, ROLLBACK_SPAN)),
            Some(selection) => Self::Selective(selection.clone(), Recent::new(window, ROLLBACK_SPAN)),
        }
    }

    /// Id of the encoder.
    pub(super) fn kernel(&self) -> &str {
        match self {
            Self::Baseline(kernel, _) => kernel.id(),
            Self::Selective(selection, _) => selection.encoder.id(),
        }
    }

    /// Read the texts of a block.
    pub(super) fn read(&self, texts: [&str; COUNT]) -> Reading {
        match self {
            Self::Baseline(kernel, _) => Reading::Baseline(Box::new(Features::of_texts(*kernel, texts))),
            Self::Selective(selection, _) => Reading::Selective(Box::new(Traces::of_texts(&selection.encoder, texts))),
        }
    }

    /// Take a block in, as the newest. What another path read is not taken: it could not be compared.
    pub(super) fn push(&mut self, call: Call, key: ContentKey, read: Reading, stored_ms: u64, weight: f64) {
        match (self, read) {
            (Self::Baseline(_, held), Reading::Baseline(read)) => {
                held.push(call, Held { key, read, stored_ms, weight }, drop);
            }
            (Self::Selective(_, held), Reading::Selective(read)) => {
                held.push(call, Held { key, read, stored_ms, weight }, drop);
            }
            _ => {}
        }
    }

    /// Put blocks back that were read from words or from what was stored of them, each in the place of its time, unless
    /// they are there; returns how many are among those compared with. The baseline's few are never read later.
    pub(super) fn fill(&mut self, blocks: impl IntoIterator<Item = Held<Box<Traces>>>) -> usize {
        let Self::Selective(_, held) = self else { return 0 };
        let mut known: BTreeSet<ContentKey> = held.all().map(|held| held.key).collect();
        let mut live = 0;
        for block in blocks {
            if known.insert(block.key) {
                live += usize::from(held.put_back(block, |there, block| there.stored_ms > block.stored_ms));
            }
        }
        live
    }

    /// Take back what a call put in.
    pub(super) fn withdraw(&mut self, number: u64) {
        match self {
            Self::Baseline(_, held) => held.withdraw(number),
            Self::Selective(_, held) => held.withdraw(number),
        };
    }

    /// Say what the lifecycle of a held block makes of it; false where it is not among the blocks compared with.
    pub(super) fn weigh(&mut self, key: ContentKey, weight: f64) -> bool {
        match self {
            Self::Baseline(_, held) => reweighed(held, key, weight),
            Self::Selective(_, held) => reweighed(held, key, weight),
        }
    }

    /// How many blocks there are.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Baseline(_, held) => held.held(),
            Self::Selective(_, held) => held.held(),
        }
    }

    /// The keys of the blocks, newest first.
    pub(super) fn keys(&self) -> Vec<ContentKey> {
        match self {
            Self::Baseline(_, held) => held.live().map(|held| held.key).collect(),
            Self::Selective(_, held) => held.live().map(|held| held.key).collect(),
        }
    }

    /// Judge a newcomer. `age_of` gives the seconds since a time.
    pub(super) fn judge(
        &self,
        gate: &Gate,
        incoming: &Reading,
        about: Circumstances,
        age_of: impl Fn(u64) -> f64,
    ) -> Option<Found> {
        match (self, incoming) {
            (Self::Baseline(_, held), Reading::Baseline(incoming)) => {
                let anchors: Vec<_> = held.live().collect();
                let read: Vec<_> = anchors
                    .iter()
                    .map(|held| Anchor {
                        features: &held.read,
                        decay: gate.decay(age_of(held.stored_ms)),
                        confidence: 1.0,
                    })
                    .collect();
                let (evaluation, nearest) = gate.judge(incoming, about.age_seconds, &read, about.grounding);
                Some((evaluation, anchors.len(), nearest.map(|place| place.map(|place| anchors[place].key))))
            }
            (Self::Selective(selection, held), Reading::Selective(incoming)) => {
                let chosen = chosen(held, incoming, |held| strength(gate, held, &age_of));
                let candidates: Vec<_> = chosen
                    .iter()
                    .map(|held| Candidate { traces: &held.read, strength: strength(gate, held, &age_of) })
                    .collect();
                let (evaluation, nearest) = gate.select(&selection.scale, incoming, &candidates, about);
                Some((evaluation, chosen.len(), nearest.map(|place| place.map(|place| chosen[place].key))))
            }
            _ => None,
        }
    }
}

/// How much a block counts for support: less with age, down to the floor, and more or less by its lifecycle.
fn strength(gate: &Gate, held: &Held<Box<Traces>>, age_of: impl Fn(u64) -> f64) -> f64 {
    (gate.decay(age_of(held.stored_ms)) * held.weight).min(1.0)
}

/// The blocks that may matter for a newcomer, newest first: all of a small memory; of a large one those whose sketches
/// are most like it, and the newest.
fn chosen<'a>(
    memory: &'a Recent<Held<Box<Traces>>>,
    incoming: &Traces,
    strength: impl Fn(&Held<Box<Traces>>) -> f64,
) -> Vec<&'a Held<Box<Traces>>> {
    let held: Vec<_> = memory.live().filter(|held| held.read.says_something()).collect();
    if held.len() <= SCANNED_EXACTLY {
        return held;
    }
    let mut ranked: Vec<(f64, usize)> = held
        .iter()
        .enumerate()
        .map(|(place, held)| {
            let newest = if place < CANDIDATES_NEWEST { 1e6 } else { 0.0 };
            (newest + held.read.nearness(incoming) * strength(held), place)
        })
        .collect();
    ranked.select_nth_unstable_by(CANDIDATES, |left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let mut places: Vec<usize> = ranked[..CANDIDATES].iter().map(|(_, place)| *place).collect();
    places.sort_unstable();
    places.into_iter().map(|place| held[place]).collect()
}

fn reweighed<T>(memory: &mut Recent<Held<T>>, key: ContentKey, weight: f64) -> bool {
    let found = memory.find(|held| held.key == key);
    found.map(|held| held.weight = weight).is_some()
}
