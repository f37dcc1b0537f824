//! Intake on several cores. What no order matters for is done side by side, and is nearly all of the work: frames of a
//! session are opened and read, addresses and signatures of records are checked, texts are read, own records are signed.
//! What needs an order — places in a sequence, what was judged before, memory, admission — is done by the caller's thread
//! in the order in which things were heard, while the others go on with what comes behind.
//!
//! Rules: events are those of [`Session::receive`] and outcomes those of [`Intake::evaluate`], whatever the number of
//! workers. Helpers are as many as there are further cores, start with the first call that has work for them, sleep
//! where none has, and end with the engine; what waits for them is bounded, and no call waits for one to come.

mod call;
mod crew;
mod opening;

use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, OnceLock};
use std::{fmt, thread};

use covey_core::error::Refusal;
use covey_core::id::NodeId;
use covey_core::identity::SigningKey;
use covey_core::intake::{Checked, Intake, Judging, OutcomeBatch, Unchecked};
use covey_core::record::{Batch, Draft, Hearsay, Verified};
use covey_core::session::{Event, Session};
use covey_core::signature;
use crew::Crew;

/// Most workers of one call: a batch has at most 256 records, and a peer is not the only program of its machine.
pub const MOST_WORKERS: usize = 4;
/// Fewest records for a worker: their checks take several times what waking a thread does, and what a read leaves beside
/// a full batch is seldom too little for two.
pub const LEAST_SHARE: usize = 16;
/// Fewest bytes for a worker that opens frames: some thirty blocks in envelopes, or one full batch.
pub const LEAST_SHARE_BYTES: usize = 65_536;

/// Fewest records of one run: the inversions of a run are made together.
const LEAST_RUN: usize = 8;

/// How many cores an intake may use, and the threads that use them.
pub struct Engine {
    workers: usize,
    crew: Crew,
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Engine({} workers)", self.workers)
    }
}

impl Engine {
    /// An engine with this many workers, at least one and at most [`MOST_WORKERS`]. Who calls is one of them.
    pub fn new(workers: usize) -> Self {
        let workers = workers.clamp(1, MOST_WORKERS);
        Self { workers, crew: Crew::new(workers - 1) }
    }

    /// The engine of this process: a worker for each core that it may use, as it was when first asked.
    pub fn of_machine() -> Arc<Self> {
        static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
        let all = || Arc::new(Self::new(thread::available_parallelism().map_or(1, NonZeroUsize::get)));
        Arc::clone(ENGINE.get_or_init(all))
    }

    /// How many workers there are.
    pub const fn workers(&self) -> usize {
        self.workers
    }

    /// Judge the records one session delivered, as [`Intake::evaluate`] does.
    ///
    /// # Errors
    /// As for [`Intake::evaluate`].
    pub fn evaluate(
        &self,
        intake: &mut Intake,
        batch: Batch,
        session: NodeId,
        now_ms: u64,
    ) -> Result<OutcomeBatch, Refusal> {
        let checker = intake.checker();
        self.evaluate_by(intake, batch, (session, now_ms), move |run| checker.check(run))
    }

    /// Judge what `check` lets through.
    fn evaluate_by(
        &self,
        intake: &mut Intake,
        batch: Batch,
        (session, now_ms): (NodeId, u64),
        check: impl Fn(Vec<Unchecked>) -> Checked + Send + Sync + 'static,
    ) -> Result<OutcomeBatch, Refusal> {
        let workers = self.workers.min(batch.0.len() / LEAST_SHARE);
        judge(intake, batch.0.len(), (session, now_ms), |intake, judging| {
            let unchecked = intake.unchecked(batch.0);
            if workers < 2 {
                let checked = check(unchecked);
                return intake.judge_next(judging, checked);
            }
            call::share(&self.crew, unchecked, (workers, LEAST_RUN), check, |checked| {
                intake.judge_next(judging, checked);
                Vec::new()
            });
        })
    }

    /// Judge what one connection of the legacy wire said, as [`Intake::evaluate_hearsay`] does. There is nothing to spread:
    /// nobody can verify it.
    ///
    /// # Errors
    /// As for [`Intake::evaluate_hearsay`].
    pub fn evaluate_hearsay(
        intake: &mut Intake,
        heard: impl ExactSizeIterator<Item = Hearsay>,
        session: NodeId,
        now_ms: u64,
    ) -> Result<OutcomeBatch, Refusal> {
        judge(intake, heard.len(), (session, now_ms), |intake, judging| {
            for hearsay in heard {
                intake.judge_hearsay(judging, hearsay);
            }
        })
    }

    /// Take in what a socket read, as [`Session::receive`] does.
    pub fn receive(&self, session: &mut Session, data: &[u8]) -> Vec<Event> {
        match self.workers.min(data.len() / LEAST_SHARE_BYTES) {
            0 | 1 => session.receive(data),
            workers => self.receive_among(workers, session, data),
        }
    }

    /// Sign drafts of one author: each, in its place, or why there is none.
    pub fn sign(&self, drafts: Vec<Draft>, key: &SigningKey) -> Vec<Result<Verified, Refusal>> {
        let sign =
            |part: Vec<Draft>, key: &SigningKey| part.into_iter().map(|draft| signature::sign(draft, key)).collect();
        let workers = self.workers.min(drafts.len() / LEAST_SHARE);
        if workers < 2 {
            return sign(drafts, key);
        }
        // The copy of the key is wiped when the call is over.
        let (mut signed, key) = (Vec::with_capacity(drafts.len()), key.clone());
        let work = move |part: Vec<Draft>| -> Vec<_> { sign(part, &key) };
        call::share(&self.crew, drafts, (workers, LEAST_RUN), work, |run| {
            signed.extend(run);
            Vec::new()
        });
        signed
    }

    /// Take in what a socket read, whose whole frames are opened and read side by side.
    fn receive_among(&self, workers: usize, session: &mut Session, data: &[u8]) -> Vec<Event> {
        session.receive_with(data, |reader, frames| opening::read(&self.crew, workers, reader, frames))
    }
}

/// Judge as many records of one session as are said. A call that panics takes back what it judged, or the same blocks would
/// be duplicates when they come again, of outcomes that nobody has.
fn judge(
    intake: &mut Intake,
    records: usize,
    (session, now_ms): (NodeId, u64),
    judge: impl FnOnce(&mut Intake, &mut Judging),
) -> Result<OutcomeBatch, Refusal> {
    // Refuses a batch beyond the bound before anything of it is checked.
    let mut judging = intake.begin_judging(records, session, now_ms)?;
    let judged = panic::catch_unwind(AssertUnwindSafe(|| judge(intake, &mut judging)));
    if let Err(panic) = judged {
        intake.abandon_judging(&judging);
        panic::resume_unwind(panic);
    }
    Ok(intake.end_judging(judging))
}

#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod tests;
