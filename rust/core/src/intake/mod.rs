//! The hot path of a node: unverified records in, finished outcomes out, a list at a time.
//!
//! Each record is taken in order through MMP 2.0 §8.8.5: the author's key by `createdByNodeId`, addresses, assertion id,
//! signature, room, audience, what was judged before, and only then admission (§9.2), against anchors that include
//! what the same call admitted before it. So outcomes do not depend on how the stream was cut into calls.
//!
//! Rules: nothing fails open. A record that fails a check leaves no trace here. Everything is bounded, and what a call
//! changed can be taken back when its store failed.

mod checked;
#[cfg(test)]
mod hearsay_tests;
mod memory;
mod outcome;
mod receipt;
mod recent;
mod reports;
mod restoring;
mod seen;
mod shelf;
mod sketches;
#[cfg(test)]
mod tests;

pub use checked::{Checked, Checker, Judging, Unchecked};
pub use outcome::{Claim, Heard, Kind, Outcome, OutcomeBatch};
pub use receipt::frame as receipt_frame;
pub use restoring::ReadBlock;
pub use seen::SeenId;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::encoder::Encoder;
use crate::error::{Reason, Refusal};
use crate::id::{ContentKey, NodeId};
use crate::identity::PublicKey;
use crate::record::{Batch, Hearsay, Record, Unverified, Verified};
use crate::signature::{self, Familiar};
use crate::svaf::{Basis, Circumstances, Decision, Evaluation, Gate, Path, Prior, Scale};
use crate::{limits, text};
use checked::{Proven, Standing};
use memory::{Memory, Reading};
use recent::{Call, RecentMap, SETTLED};
use reports::Reports;

/// How covey's own path reads texts, and the cosines of what it read.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Text to vector.
    pub encoder: Encoder,
    /// Vector to nearness.
    pub scale: Scale,
}

/// What an intake decides by, and how much it remembers.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Thresholds and weights of admission.
    pub gate: Gate,
    /// covey's own path, or with nothing here the baseline.
    pub select: Option<Selection>,
    /// How many blocks memory offers for comparison: the most recent ones, of which the baseline takes all.
    pub window: usize,
    /// How many blocks are remembered as judged.
    pub seen_capacity: usize,
    /// How far ahead of the clock a signed time may lie, in milliseconds.
    pub max_ahead_ms: u64,
}

impl Policy {
    /// The baseline with the usual bounds.
    pub const fn new(gate: Gate) -> Self {
        let (window, seen_capacity) = (limits::ANCHOR_WINDOW, limits::SEEN_CAPACITY);
        Self { gate, select: None, window, seen_capacity, max_ahead_ms: limits::MAX_FUTURE_MS }
    }

    /// covey's own path with an encoder and the usual bounds.
    pub fn selective(gate: Gate, encoder: Encoder) -> Self {
        let scale = Scale::of(&encoder);
        Self { select: Some(Selection { encoder, scale }), window: limits::MEMORY_WINDOW, ..Self::new(gate) }
    }

    fn check(&self) -> Result<(), Refusal> {
        let bounds = [
            ("window", self.window, limits::MAX_ANCHOR_WINDOW),
            ("seen_capacity", self.seen_capacity, limits::MAX_SEEN_CAPACITY),
        ];
        for (name, value, most) in bounds {
            if !(1..=most).contains(&value) {
                let detail = format!("{name}: expected 1 to {most}, got {value}");
                return Err(Refusal::new(Reason::InvalidArgument, detail));
            }
        }
        if self.max_ahead_ms > limits::MAX_FUTURE_MS {
            let detail = format!("max_ahead_ms: at most {}, got {}", limits::MAX_FUTURE_MS, self.max_ahead_ms);
            return Err(Refusal::new(Reason::InvalidArgument, detail));
        }
        Ok(())
    }
}

/// What became of a key's binding to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Bound now, for good.
    Bound,
    /// This key was bound before.
    Known,
    /// Another key is bound; it stays (error 1009).
    Conflict,
    /// No room for another author.
    Full,
}

impl Binding {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Known => "known",
            Self::Conflict => "conflict",
            Self::Full => "full",
        }
    }
}

/// The keys that nodes proved, and tables of multiples of those that are met often. A copy shares them.
#[derive(Clone, Debug, Default)]
struct Keys {
    bindings: HashMap<NodeId, Arc<Familiar>>,
    tables: usize,
}

impl Keys {
    fn get(&self, author: NodeId) -> Option<&Familiar> {
        self.bindings.get(&author).map(AsRef::as_ref)
    }

    /// Count signatures that held, each by its author.
    fn held(&mut self, authors: &[NodeId]) {
        for author in authors {
            let Some(key) = self.bindings.get_mut(author).and_then(Arc::get_mut) else { continue };
            let (had, may_keep) = (key.has_table(), self.tables < limits::KEY_TABLES);
            key.held(may_keep);
            self.tables += usize::from(key.has_table() && !had);
        }
    }
}

/// What admission said of one record.
struct Judged {
    kind: Kind,
    evaluation: Evaluation,
    basis: Basis,
}

/// The one place where records become outcomes. One per peer.
#[derive(Debug)]
pub struct Intake {
    node_id: NodeId,
    room: String,
    policy: Policy,
    /// The keys of authors, and how texts are read; shared only while a batch is checked.
    checker: Arc<Checker>,
    /// What was judged, and whether memory holds it.
    seen: RecentMap<SeenId, bool>,
    memory: Memory,
    reports: Reports,
    /// Who has authority, so that what they teach counts more.
    heeded: BTreeSet<NodeId>,
    /// What others learned, where something was merged.
    prior: Option<Prior>,
    calls: u64,
}

impl Intake {
    /// An intake that has heard nothing.
    pub fn new(node_id: NodeId, room: &str, policy: Policy) -> Result<Self, Refusal> {
        text::check_room(room)?;
        policy.check()?;
        let memory = Memory::new(policy.select.as_ref(), policy.window);
        Ok(Self {
            node_id,
            room: room.to_owned(),
            checker: Arc::new(Checker::new(memory.reads())),
            seen: RecentMap::new(policy.seen_capacity, 2 * limits::ROLLBACK_SPAN),
            memory,
            reports: Reports::new(),
            heeded: BTreeSet::new(),
            prior: None,
            calls: SETTLED,
            policy,
        })
    }

    /// Bind a node to the key it proved. A binding is never replaced. A node binds its own key too, so that its own
    /// blocks are known when they come back.
    pub fn bind(&mut self, node_id: NodeId, key: PublicKey) -> Binding {
        match self.bound(node_id) {
            Some(bound) if *bound == key => Binding::Known,
            Some(_) => Binding::Conflict,
            None if self.checker.keys.bindings.len() >= limits::MAX_BINDINGS => Binding::Full,
            None => {
                let keys = &mut Arc::make_mut(&mut self.checker).keys;
                keys.bindings.insert(node_id, Arc::new(Familiar::new(key)));
                Binding::Bound
            }
        }
    }

    /// Judge the records one session delivered, in order, at most [`limits::MAX_INTAKE_BATCH`] of them.
    ///
    /// `session` is the session's proven peer. `now_ms` is the receiver's time in milliseconds since the epoch.
    pub fn evaluate(&mut self, batch: Batch, session: NodeId, now_ms: u64) -> Result<OutcomeBatch, Refusal> {
        // A batch beyond the bound is refused before anything of it is checked.
        if batch.0.len() > limits::MAX_INTAKE_BATCH {
            return Err(too_many(batch.0.len()));
        }
        let checked = self.check(batch.0);
        self.judge_checked(checked, session, now_ms)
    }

    /// Judge what this intake checked, in the order in which it was heard: the second half of [`Intake::evaluate`].
    ///
    /// # Errors
    /// More records than [`limits::MAX_INTAKE_BATCH`].
    pub fn judge_checked(&mut self, checked: Checked, session: NodeId, now_ms: u64) -> Result<OutcomeBatch, Refusal> {
        let mut judging = self.begin_judging(checked.0.len(), session, now_ms)?;
        self.judge_next(&mut judging, checked);
        Ok(self.end_judging(judging))
    }

    /// Judge what one connection of the legacy wire said, by the same rules of room, audience, age and admission.
    ///
    /// This is the only way in for records that nobody here can verify, and they leave marked: [`Heard::Hearsay`].
    /// `session` is who the peer claims to be.
    pub fn evaluate_hearsay(
        &mut self,
        heard: Vec<Hearsay>,
        session: NodeId,
        now_ms: u64,
    ) -> Result<OutcomeBatch, Refusal> {
        let mut judging = self.begin_judging(heard.len(), session, now_ms)?;
        for hearsay in heard {
            self.judge_hearsay(&mut judging, hearsay);
        }
        Ok(self.end_judging(judging))
    }

    fn begin(&mut self, records: usize, now_ms: u64) -> Result<Call, Refusal> {
        if records > limits::MAX_INTAKE_BATCH {
            return Err(too_many(records));
        }
        self.calls += 1;
        Ok(Call { number: self.calls, now_ms })
    }

    fn finish(&self, outcomes: Vec<Outcome>, session: NodeId, call: Call) -> OutcomeBatch {
        OutcomeBatch { outcomes, session, judged_ms: call.now_ms, gate: self.policy.gate.clone(), call: call.number }
    }

    /// Take in a block of one's own, once it is stored: it counts as judged and becomes an anchor.
    ///
    /// Returns false when memory holds the same cognition already. One's own block is taken also where a peer's, in the
    /// same words, was turned away. A message between agents is no cognition: it leaves no trace here.
    pub fn admit_own(&mut self, record: &Verified, now_ms: u64) -> bool {
        if record.record().is_message() {
            return true;
        }
        let id = SeenId::Memory(record.record().metadata.key);
        if self.seen.get(&id) == Some(true) {
            return false;
        }
        self.seen.insert(Call { number: SETTLED, now_ms }, id, true);
        self.anchor(record.record(), now_ms, 1.0);
        true
    }

    /// Take back all a call changed, because its outcomes could not be stored: what follows is judged as if the call
    /// had never been. Exact within [`limits::ROLLBACK_SPAN`] judged blocks and [`limits::ROLLBACK_GRACE_MS`]; a second time does nothing.
    pub fn rollback(&mut self, outcomes: &OutcomeBatch) {
        self.seen.withdraw(outcomes.call);
        self.memory.withdraw(outcomes.call);
        self.reports.withdraw(outcomes.call);
    }

    /// The content keys of the anchors, newest first.
    pub fn anchors(&self) -> impl Iterator<Item = ContentKey> {
        self.memory.keys().into_iter()
    }

    /// Id of the encoder in use.
    pub fn kernel(&self) -> &str {
        self.memory.kernel()
    }

    /// Say what the lifecycle of a held block makes of it (§19: 1 for an observation, 3 for canon, and so on); false where
    /// it is not among the blocks that newcomers are compared with.
    pub fn weigh(&mut self, key: ContentKey, weight: f64) -> bool {
        self.memory.weigh(key, weight)
    }

    /// Judge from now on with what others learned; `None` without. False, and nothing changes, on the baseline, which is
    /// the reference's exactly.
    pub fn prime(&mut self, prior: Option<Prior>) -> bool {
        let takes = prior.is_none() || self.policy.select.is_some();
        if takes {
            self.prior = prior;
        }
        takes
    }

    /// The key a node is bound to, if it is.
    pub fn bound(&self, node_id: NodeId) -> Option<&PublicKey> {
        self.checker.keys.get(node_id).map(Familiar::key)
    }

    /// What this intake decides by.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    fn hear(&mut self, checked: Result<Proven, signature::Failed>, call: Call) -> Outcome {
        let (verified, read) = match checked {
            Ok(Proven { verified, read }) => (Arc::new(verified), read),
            Err(failed) => {
                let (record, refusal) = *failed;
                return refused(claimed(&record), refusal);
            }
        };
        self.outcome(Heard::Verified(Arc::clone(&verified)), verified.record(), Standing::Signed(read), call)
    }

    /// Judge one record and say what became of it.
    fn outcome(&mut self, heard: Heard, record: &Record, standing: Standing, call: Call) -> Outcome {
        let directed = record.metadata.to == Some(self.node_id);
        match self.judge(record, standing, call) {
            Err(refusal) => refused(heard, refusal),
            Ok(None) => {
                Outcome { kind: Kind::Duplicate, refusal: None, heard, directed, evaluation: None, basis: None }
            }
            Ok(Some(Judged { kind, evaluation, basis })) => Outcome {
                kind,
                refusal: None,
                heard,
                directed,
                evaluation: Some(evaluation),
                basis: Some(Box::new(basis)),
            },
        }
    }

    /// Room, audience, memory of what was judged, age, admission. `None` is a duplicate.
    fn judge(&mut self, record: &Record, standing: Standing, call: Call) -> Result<Option<Judged>, Refusal> {
        let (signed, read) = match standing {
            Standing::Hearsay => (false, None),
            Standing::Signed(read) => (true, read),
        };
        self.check_audience(record)?;
        let metadata = &record.metadata;
        let directed = metadata.to.is_some();
        let memory = SeenId::Memory(metadata.key);
        let assertion = SeenId::Directed(metadata.assertion_id);
        let message = record.is_message();
        let known = self.seen.get(&memory).is_some();
        let repeated = if directed { self.seen.get(&assertion).is_some() } else { known };
        if repeated || metadata.author == self.node_id {
            return Ok(None);
        }
        check_time(metadata.created_ms, call.now_ms, directed, self.policy.max_ahead_ms)?;
        let reports = signed && self.grounds(record);
        if reports {
            self.check_pace(record, call.now_ms)?;
        }
        let read = read.unwrap_or_else(|| self.checker.read(record.texts()));
        let (evaluation, basis) = self.admission(record, &read, signed, reports, call.now_ms)?;
        let kind = match evaluation.decision {
            // Memory takes a cognition once; a directed copy of it is heard, and not stored again. A message between
            // agents is heard, too, and never becomes memory.
            Decision::Aligned | Decision::Guarded if known || message => Kind::Redundant,
            Decision::Aligned | Decision::Guarded => Kind::Admitted,
            Decision::Redundant => Kind::Redundant,
            Decision::Rejected => Kind::Rejected,
        };
        let admitted = kind == Kind::Admitted;
        if !known && !message {
            self.seen.insert(call, memory, admitted);
        }
        if directed {
            self.seen.insert(call, assertion, admitted);
        }
        if admitted {
            self.memory.push(call, self.held(record, read, call.now_ms, 1.0, signed));
            if reports {
                self.count_report(call, record);
            }
        }
        Ok(Some(Judged { kind, evaluation, basis }))
    }

    fn check_audience(&self, record: &Record) -> Result<(), Refusal> {
        let metadata = &record.metadata;
        if metadata.room != self.room {
            let detail = format!("room: expected '{}', got '{}'", self.room, metadata.room);
            return Err(Refusal::new(Reason::WrongRoom, detail));
        }
        match metadata.to {
            Some(to) if to != self.node_id => {
                Err(Refusal::new(Reason::WrongAudience, format!("to: addressed to {to}, not to this node")))
            }
            _ => Ok(()),
        }
    }

    fn admission(
        &mut self,
        record: &Record,
        read: &Reading,
        signed: bool,
        grounding: bool,
        now_ms: u64,
    ) -> Result<(Evaluation, Basis), Refusal> {
        let gate = &self.policy.gate;
        let age_of = |then_ms: u64| seconds(now_ms.saturating_sub(then_ms));
        let lineage = if signed { self.held_parent(record) } else { None };
        let about =
            Circumstances { age_seconds: age_of(record.metadata.created_ms), answers: lineage.is_some(), grounding };
        let judged = self.memory.judge(gate, read, about, now_ms);
        let (mut evaluation, anchors, nearest) =
            judged.ok_or_else(|| Refusal::new(Reason::InvalidArgument, "kernel: a block was read for another path"))?;
        let moved = self
            .prior
            .as_ref()
            .and_then(|prior| gate.informed(&mut evaluation, prior, record.texts(), self.memory.held(), about.answers));
        let path = if self.policy.select.is_some() { Path::Selective } else { Path::Baseline };
        let kernel = self.memory.kernel().to_owned();
        let basis = Basis { path, kernel, anchors, nearest, lineage, grounding: about.grounding, moved };
        Ok((evaluation, basis))
    }

    /// A parent of the record that memory holds, as far as it remembers; the first of several.
    fn held_parent(&self, record: &Record) -> Option<ContentKey> {
        let held = |parent: &&ContentKey| self.seen.get(&SeenId::Memory(**parent)) == Some(true);
        record.metadata.parents.iter().find(held).copied()
    }

    fn anchor(&mut self, record: &Record, stored_ms: u64, weight: f64) {
        let read = self.checker.read(record.texts());
        let held = self.held(record, read, stored_ms, weight, true);
        self.memory.push(Call { number: SETTLED, now_ms: stored_ms }, held);
    }
}

/// Directed records have a last day; and no record is taken from far ahead of the clock.
fn check_time(created_ms: u64, now_ms: u64, directed: bool, max_ahead_ms: u64) -> Result<(), Refusal> {
    if created_ms > now_ms.saturating_add(max_ahead_ms) {
        let ahead = created_ms - now_ms;
        let detail = format!("createdTimestamp: {ahead} ms ahead, at most {max_ahead_ms}");
        return Err(Refusal::new(Reason::FutureTimestamp, detail));
    }
    let age = now_ms.saturating_sub(created_ms);
    if directed && age > limits::MAX_DIRECTED_AGE_MS {
        let detail = format!("createdTimestamp: directed and {age} ms old, at most {}", limits::MAX_DIRECTED_AGE_MS);
        return Err(Refusal::new(Reason::Expired, detail));
    }
    Ok(())
}

fn too_many(records: usize) -> Refusal {
    let detail = format!("batch: {records} records, at most {}", limits::MAX_INTAKE_BATCH);
    Refusal::new(Reason::InvalidArgument, detail)
}

fn claimed(record: &Unverified) -> Heard {
    Heard::Claimed(Box::new(Claim::of(record.claimed())))
}

fn refused(heard: Heard, refusal: Refusal) -> Outcome {
    let directed = false;
    Outcome { kind: Kind::Refused, refusal: Some(refusal), heard, directed, evaluation: None, basis: None }
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53, which every signed time is")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}
