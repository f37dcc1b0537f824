//! The blocks that newcomers are compared with, as the path in use reads them.
//!
//! The baseline holds the newest few and compares with all of them. covey's own path holds thousands: where there are
//! more than can be compared exactly, a sketch of each says which of them may matter.

use std::collections::BTreeSet;

use super::Selection;
use super::recent::{Call, Recent};
use super::seconds;
use super::shelf::{Block, Shelf};
use super::sketches::BOUNDS_MS;
use crate::category::COUNT;
use crate::encoder::{DIMENSIONS, Encoder, Kernel};
use crate::id::{ContentKey, NodeId};
use crate::limits::ROLLBACK_SPAN;
use crate::svaf::{Anchor, Candidate, Circumstances, Evaluation, Features, Gate, Traces};

/// Whose a block is that nobody signed: whoever may have written it, together they are one author.
pub(super) const UNSIGNED: NodeId = NodeId::from_bytes([0; 16]);

/// One block.
#[derive(Debug)]
pub(super) struct Held<T> {
    pub key: ContentKey,
    /// Who signed it; [`UNSIGNED`] where nobody did.
    pub author: NodeId,
    pub read: T,
    pub stored_ms: u64,
    /// What its lifecycle makes of it: 1 for an observation.
    pub weight: f64,
    /// It answers nothing and is addressed to nobody.
    pub root: bool,
    /// It is such a block of an author with authority: a directive.
    pub directive: bool,
}

impl<T> Held<T> {
    /// How much it counts: a directive as much as what was validated (§11.3), until authority puts it away.
    const fn counts(&self) -> f64 {
        if self.directive && self.weight >= OBSERVED { self.weight.max(DIRECTIVE) } else { self.weight }
    }
}

/// What a block counts of which nothing is known, and a directive (§6.4, §11.3).
const OBSERVED: f64 = 1.0;
const DIRECTIVE: f64 = 2.0;

/// What a block says, as the path in use reads it.
#[derive(Debug)]
pub(super) enum Reading {
    Baseline(Box<Features<DIMENSIONS>>),
    Selective(Traces),
}

/// How the path in use reads texts.
#[derive(Clone, Debug)]
pub(super) enum Reads {
    Baseline(Kernel),
    Selective(Encoder),
}

impl Reads {
    /// Read the texts of a block.
    pub(super) fn read(&self, texts: [&str; COUNT]) -> Reading {
        match self {
            Self::Baseline(kernel) => Reading::Baseline(Box::new(Features::of_texts(*kernel, texts))),
            Self::Selective(encoder) => Reading::Selective(Traces::of_texts(encoder, texts)),
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(super) enum Memory {
    Baseline(Kernel, Recent<Held<Box<Features<DIMENSIONS>>>>),
    Selective(Selection, Shelf, Decays),
}

/// A judgement: the evaluation, how many blocks it was compared with, and the nearest for each category.
pub(super) type Found = (Evaluation, usize, [Option<ContentKey>; COUNT]);

impl Memory {
    pub(super) fn new(select: Option<&Selection>, window: usize) -> Self {
        match select {
            None => Self::Baseline(Kernel::NgramH32, Recent::new(window, ROLLBACK_SPAN)),
            Some(selection) => Self::Selective(selection.clone(), Shelf::new(window), Decays::new()),
        }
    }

    /// Id of the encoder.
    pub(super) fn kernel(&self) -> &str {
        match self {
            Self::Baseline(kernel, _) => kernel.id(),
            Self::Selective(selection, ..) => selection.encoder.id(),
        }
    }

    /// How texts of blocks are read for it.
    pub(super) fn reads(&self) -> Reads {
        match self {
            Self::Baseline(kernel, _) => Reads::Baseline(*kernel),
            Self::Selective(selection, ..) => Reads::Selective(selection.encoder.clone()),
        }
    }

    /// Take a block in, as the newest. What another path read is not taken: it could not be compared.
    pub(super) fn push(&mut self, call: Call, block: Held<Reading>) {
        let Held { key, author, read, stored_ms, weight, root, directive } = block;
        match (self, read) {
            (Self::Baseline(_, held), Reading::Baseline(read)) => {
                held.push(call, Held { key, author, read, stored_ms, weight, root, directive }, drop);
            }
            (Self::Selective(_, held, _), Reading::Selective(read)) => {
                held.push(call, Held { key, author, read, stored_ms, weight, root, directive });
            }
            _ => {}
        }
    }

    /// Put blocks back that were read from words or from what was stored of them, each in the place of its time, unless
    /// they are there; returns how many are among those compared with. The baseline's few are never read later.
    pub(super) fn fill(&mut self, blocks: impl IntoIterator<Item = Block>) -> usize {
        let Self::Selective(_, held, _) = self else { return 0 };
        let mut known: BTreeSet<ContentKey> = held.blocks().all().map(|held| held.key).collect();
        let mut live = 0;
        for block in blocks {
            if known.insert(block.key) {
                live += usize::from(held.put_back(block));
            }
        }
        held.sketch();
        live
    }

    /// Take back what a call put in.
    pub(super) fn withdraw(&mut self, number: u64) {
        match self {
            Self::Baseline(_, held) => held.withdraw(number),
            Self::Selective(_, held, _) => held.withdraw(number),
        };
    }

    /// Say what the lifecycle of a held block makes of it; false where it is not among the blocks compared with.
    pub(super) fn weigh(&mut self, key: ContentKey, weight: f64) -> bool {
        match self {
            Self::Baseline(_, held) => reweighed(held.find(|held| held.key == key), weight),
            Self::Selective(_, held, _) => reweighed(held.find(|held| held.key == key), weight),
        }
    }

    /// Say which blocks are directives: those that begin a lineage, of authors of whom this holds.
    pub(super) fn heed(&mut self, heeded: impl Fn(&NodeId) -> bool) {
        // The baseline counts every block alike.
        if let Self::Selective(_, shelf, _) = self {
            shelf.each(|held| held.directive = held.root && heeded(&held.author));
        }
    }

    /// How many blocks there are.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Baseline(_, held) => held.held(),
            Self::Selective(_, held, _) => held.blocks().held(),
        }
    }

    /// The keys of the blocks, newest first.
    pub(super) fn keys(&self) -> Vec<ContentKey> {
        match self {
            Self::Baseline(_, held) => held.live().map(|held| held.key).collect(),
            Self::Selective(_, held, _) => held.blocks().live().map(|held| held.key).collect(),
        }
    }

    /// Judge a newcomer at a time.
    pub(super) fn judge(
        &mut self,
        gate: &Gate,
        incoming: &Reading,
        about: Circumstances,
        now_ms: u64,
    ) -> Option<Found> {
        match (self, incoming) {
            (Self::Baseline(_, held), Reading::Baseline(incoming)) => {
                let anchors: Vec<_> = held.live().collect();
                // Blocks of one call were stored at one time, and they are the newest ones.
                let (mut stored_ms, mut decay) = (now_ms, gate.decay(0.0));
                let read: Vec<_> = anchors
                    .iter()
                    .map(|held| {
                        if held.stored_ms != stored_ms {
                            stored_ms = held.stored_ms;
                            decay = gate.decay(seconds(now_ms.saturating_sub(stored_ms)));
                        }
                        Anchor { features: &held.read, decay, confidence: 1.0 }
                    })
                    .collect();
                let (evaluation, nearest) = gate.judge(incoming, about.age_seconds, &read, about.grounding);
                Some((evaluation, anchors.len(), nearest.map(|place| place.map(|place| anchors[place].key))))
            }
            (Self::Selective(selection, held, decays), Reading::Selective(incoming)) => {
                let (mut strength, floor) = (decays.at(gate, now_ms), gate.decay(f64::INFINITY));
                let end = |held: &Block| (floor * held.counts()).min(1.0);
                // No block loses a larger share in any such while than one that is new then.
                let kept = gate.decay(seconds(BOUNDS_MS));
                let chosen = held.chosen(incoming, now_ms, |held| strength(held), end, kept);
                let mut candidates = Vec::with_capacity(chosen.len());
                candidates.extend(chosen.iter().map(|held| {
                    let (strength, author) = (strength(held), held.author);
                    Candidate { traces: &held.read, strength, author }
                }));
                let (evaluation, nearest) = gate.select(&selection.scale, incoming, &candidates, about);
                Some((evaluation, chosen.len(), nearest.map(|place| place.map(|place| chosen[place].key))))
            }
            _ => None,
        }
    }
}

/// Places for what age leaves of blocks: more than are looked at for one newcomer.
const DECAYS: usize = 1_024;

/// What age leaves of blocks, by when they were stored and when that is asked: blocks of a batch are judged at one time.
#[derive(Debug)]
pub(super) struct Decays(Vec<(u64, u64, f64)>);

impl Decays {
    const fn new() -> Self {
        Self(Vec::new())
    }

    /// How much a block counts for support: less with age, down to the floor, and more or less by its lifecycle.
    fn at(&mut self, gate: &Gate, now_ms: u64) -> impl FnMut(&Block) -> f64 {
        // What was stored when it is asked has all that age leaves.
        self.0.resize(DECAYS, (0, 0, gate.decay(0.0)));
        move |held| {
            let stored_ms = held.stored_ms;
            let place = usize::try_from(stored_ms.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap_or(0) % DECAYS;
            let kept = &mut self.0[place];
            if (kept.0, kept.1) != (stored_ms, now_ms) {
                *kept = (stored_ms, now_ms, gate.decay(seconds(now_ms.saturating_sub(stored_ms))));
            }
            (kept.2 * held.counts()).min(1.0)
        }
    }
}

fn reweighed<T>(found: Option<(usize, &mut Held<T>)>, weight: f64) -> bool {
    found.map(|(_, held)| held.weight = weight).is_some()
}
