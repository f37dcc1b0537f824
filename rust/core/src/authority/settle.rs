//! Which valid statements are in force: a pure function of the set (MMP 2.0 §6.6.4 to §6.6.6). It reads no clock, and
//! the order in which statements came has no effect on it: every list below is in ascending order of id.
//!
//! Depth by depth, first what removes and endorses, then what grants. A statement whose own bucket stands is kept
//! there while its quotas last. One that a revoke has cut off from the anchor may be rescued by an endorse from
//! strictly above, at the cost of the endorser's bucket; one that a quota has cut off never is.

use std::collections::{BTreeMap, BTreeSet};

use super::Quotas;
use super::judge::Valid;
use super::statement::{Act, Source};
use crate::id::StatementId;
use crate::limits::MAX_DELEGATION_DEPTH;

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A grant above it is not held, so nothing can be said.
    Pending,
    /// It does not hold, and never will under this pin.
    Invalid,
    /// It counts.
    InForce,
    /// A revoke in force names it.
    Removed,
    /// The bucket it would be kept in is full.
    OverQuota,
    /// A grant above it is not in force, and nobody rescued it.
    Dead,
}

impl Standing {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Invalid => "invalid",
            Self::InForce => "in-force",
            Self::Removed => "removed",
            Self::OverQuota => "over-quota",
            Self::Dead => "dead",
        }
    }
}

/// What settling found.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    pub(super) standing: BTreeMap<StatementId, Standing>,
    /// What is in force, and the bucket that keeps it: its own, or its rescuer's.
    pub(super) kept_by: BTreeMap<StatementId, Source>,
}

/// Settle the standing of every valid statement.
pub(super) fn settle(valid: &BTreeMap<StatementId, Valid>, quotas: Quotas) -> Settled {
    let mut settling = Settling::new(valid, quotas);
    for depth in 1..=MAX_DELEGATION_DEPTH {
        settling.removals(depth);
        settling.grants(depth);
    }
    settling.settled
}

/// The statements that name one source, in ascending order of id.
#[derive(Default)]
struct Bucket {
    depth: usize,
    removals: Vec<StatementId>,
    grants: Vec<StatementId>,
}

#[derive(Default)]
struct Used {
    statements: usize,
    delegates: usize,
}

struct Settling<'a> {
    valid: &'a BTreeMap<StatementId, Valid>,
    quotas: Quotas,
    buckets: BTreeMap<Source, Bucket>,
    named_by: BTreeMap<StatementId, BTreeSet<StatementId>>,
    used: BTreeMap<Source, Used>,
    settled: Settled,
}

impl<'a> Settling<'a> {
    fn new(valid: &'a BTreeMap<StatementId, Valid>, quotas: Quotas) -> Self {
        let mut buckets: BTreeMap<Source, Bucket> = BTreeMap::new();
        let mut named_by: BTreeMap<StatementId, BTreeSet<StatementId>> = BTreeMap::new();
        for (id, entry) in valid {
            let bucket = buckets.entry(entry.statement().source()).or_default();
            bucket.depth = entry.depth();
            match entry.statement().act() {
                Act::Grant(_) => bucket.grants.push(*id),
                Act::Revoke(_) | Act::Endorse(_) => bucket.removals.push(*id),
            }
            for target in entry.statement().targets() {
                named_by.entry(target).or_default().insert(*id);
            }
        }
        Self { valid, quotas, buckets, named_by, used: BTreeMap::new(), settled: Settled::default() }
    }

    /// Phase A of a depth: revokes and endorses.
    fn removals(&mut self, depth: usize) {
        let mut cut = BTreeSet::new();
        for (source, ids) in self.level(depth, |bucket| &bucket.removals) {
            for id in ids {
                if self.stands(source) {
                    self.keep_or(source, id, Standing::OverQuota);
                } else if self.is_revoke(id) && self.is_cut_by_revoke(id) {
                    cut.insert(id);
                } else {
                    self.put(id, Standing::Dead); // an endorse is never rescued
                }
            }
        }
        for id in cut {
            self.rescue(id);
        }
    }

    /// Phase B of a depth: grants.
    fn grants(&mut self, depth: usize) {
        let mut cut = BTreeSet::new();
        for (source, ids) in self.level(depth, |bucket| &bucket.grants) {
            for id in ids {
                let stands = self.stands(source);
                if !stands && !self.is_cut_by_revoke(id) {
                    self.put(id, Standing::Dead);
                } else if self.is_removed(id) {
                    self.put(id, Standing::Removed);
                } else if stands {
                    self.keep_or(source, id, Standing::OverQuota);
                } else {
                    cut.insert(id);
                }
            }
        }
        for id in cut {
            self.rescue(id);
        }
    }

    fn level(&self, depth: usize, pick: impl Fn(&Bucket) -> &Vec<StatementId>) -> Vec<(Source, Vec<StatementId>)> {
        let at_depth = self.buckets.iter().filter(|(_, bucket)| bucket.depth == depth);
        at_depth.map(|(source, bucket)| (*source, pick(bucket).clone())).collect()
    }

    fn put(&mut self, id: StatementId, standing: Standing) {
        self.settled.standing.insert(id, standing);
    }

    fn is_in_force(&self, id: StatementId) -> bool {
        self.settled.kept_by.contains_key(&id)
    }

    fn stands(&self, source: Source) -> bool {
        match source {
            Source::Anchor => true,
            Source::Grant(id) => self.is_in_force(id),
        }
    }

    fn is_revoke(&self, id: StatementId) -> bool {
        self.valid.get(&id).is_some_and(|entry| matches!(entry.statement().act(), Act::Revoke(_)))
    }

    /// Keep a statement in a bucket that has room for it: whether it was kept.
    fn keep(&mut self, bucket: Source, id: StatementId) -> bool {
        let grant = self.valid.get(&id).and_then(|entry| entry.statement().grant());
        let delegates = grant.is_some_and(|grant| grant.role.delegates());
        let (statements, delegations) = match bucket {
            Source::Anchor => (self.quotas.anchor, usize::MAX),
            Source::Grant(_) => (self.quotas.statements, self.quotas.delegates),
        };
        let used = self.used.entry(bucket).or_default();
        if used.statements >= statements || (delegates && used.delegates >= delegations) {
            return false;
        }
        used.statements += 1;
        used.delegates += usize::from(delegates);
        self.settled.kept_by.insert(id, bucket);
        self.put(id, Standing::InForce);
        true
    }

    fn keep_or(&mut self, bucket: Source, id: StatementId, otherwise: Standing) {
        if !self.keep(bucket, id) {
            self.put(id, otherwise);
        }
    }

    /// The statements in force that name this one, in ascending order.
    fn namers(&self, id: StatementId) -> impl Iterator<Item = &Valid> {
        let named = self.named_by.get(&id).into_iter().flatten();
        named.filter(|namer| self.is_in_force(**namer)).filter_map(|namer| self.valid.get(namer))
    }

    /// Say whether a revoke in force removes this grant: the anchor's, or one signed with a grant above it.
    fn is_removed(&self, id: StatementId) -> bool {
        let Some(target) = self.valid.get(&id) else { return false };
        self.namers(id).any(|namer| {
            matches!(namer.statement().act(), Act::Revoke(_))
                && match namer.statement().source() {
                    Source::Anchor => true,
                    Source::Grant(above) => target.chain().contains(&above),
                }
        })
    }

    /// Say whether it was a revoke that cut this statement off: past the dead, the first grant above it is removed.
    fn is_cut_by_revoke(&self, id: StatementId) -> bool {
        let chain = self.valid.get(&id).map_or(&[][..], Valid::chain);
        let mut above = chain.iter().filter_map(|id| self.settled.standing.get(id));
        above.find(|standing| **standing != Standing::Dead) == Some(&Standing::Removed)
    }

    /// Charge a statement to the first endorse that may keep it alive and whose bucket has room.
    fn rescue(&mut self, id: StatementId) {
        let rescuers = self.rescuers(id);
        let otherwise = if rescuers.is_empty() { Standing::Dead } else { Standing::OverQuota };
        if !rescuers.into_iter().any(|bucket| self.keep(bucket, id)) {
            self.put(id, otherwise);
        }
    }

    /// The buckets of the endorses that may rescue this statement: each strictly above the grant it is signed with.
    fn rescuers(&self, id: StatementId) -> Vec<Source> {
        let Some(cut) = self.valid.get(&id) else { return Vec::new() };
        let beyond = cut.chain().get(1..).unwrap_or_default();
        let endorses = self.namers(id).filter(|namer| matches!(namer.statement().act(), Act::Endorse(_)));
        let sources = endorses.map(|namer| namer.statement().source());
        sources
            .filter(|source| match source {
                Source::Anchor => cut.statement().source() != Source::Anchor,
                Source::Grant(above) => beyond.contains(above),
            })
            .collect()
    }
}
