//! Intake on several cores. What no order matters for is done side by side, and is nearly all of the work: frames of a
//! session are opened and read, addresses and signatures of records are checked, texts are read, own records are signed.
//! What needs an order — places in a sequence, what was judged before, memory, admission — is done by the caller's thread
//! in the order in which things were heard, while the others go on with what comes behind.
//!
//! Rules: events are those of [`Session::receive`] and outcomes those of [`Intake::evaluate`], whatever the number of
//! workers. Workers live as long as one call: there is no queue that could grow and no thread that an idle peer keeps.

mod crew;

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::thread;

use covey_core::error::Refusal;
use covey_core::id::NodeId;
use covey_core::identity::SigningKey;
use covey_core::intake::{Intake, OutcomeBatch};
use covey_core::limits::MAX_INTAKE_BATCH;
use covey_core::record::{Batch, Draft, Verified};
use covey_core::session::{Event, Session};
use covey_core::signature;

/// Most workers of one call: a batch has at most 256 records, and a peer is not the only program of its machine.
pub const MOST_WORKERS: usize = 4;
/// Fewest records for a worker: their checks take some ten times what starting a thread does.
pub const LEAST_SHARE: usize = 32;
/// Fewest bytes for a worker that opens frames: some thirty blocks in envelopes, or one full batch.
pub const LEAST_SHARE_BYTES: usize = 65_536;

/// Fewest records of one run: the inversions of a run are made together.
const LEAST_RUN: usize = 8;

/// How many cores an intake may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    workers: usize,
}

impl Engine {
    /// An engine with this many workers, at least one and at most [`MOST_WORKERS`].
    pub const fn new(workers: usize) -> Self {
        let most = if workers > MOST_WORKERS { MOST_WORKERS } else { workers };
        Self { workers: if most == 0 { 1 } else { most } }
    }

    /// An engine with a worker for each core that this process may use, as it was when first asked: to find out
    /// takes the system half as long as a signature.
    pub fn of_machine() -> Self {
        static CORES: OnceLock<usize> = OnceLock::new();
        Self::new(*CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZeroUsize::get)))
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
        let (count, workers) = (batch.0.len(), self.workers.min(batch.0.len() / LEAST_SHARE));
        if workers < 2 || count > MAX_INTAKE_BATCH {
            return intake.evaluate(batch, session, now_ms);
        }
        let (unchecked, checker) = (intake.unchecked(batch.0), intake.checker());
        let mut judging = intake.begin_judging(count, session, now_ms)?;
        crew::share(
            unchecked,
            workers,
            LEAST_RUN,
            |run| checker.check(run),
            |checked| intake.judge_next(&mut judging, checked),
        );
        drop(checker);
        Ok(intake.end_judging(judging))
    }

    /// Take in what a socket read, as [`Session::receive`] does.
    pub fn receive(&self, session: &mut Session, data: &[u8]) -> Vec<Event> {
        match self.workers.min(data.len() / LEAST_SHARE_BYTES) {
            0 | 1 => session.receive(data),
            workers => receive_among(workers, session, data),
        }
    }

    /// Sign drafts of one author: each, in its place, or why there is none.
    pub fn sign(&self, drafts: Vec<Draft>, key: &SigningKey) -> Vec<Result<Verified, Refusal>> {
        let sign = |part: Vec<Draft>| part.into_iter().map(|draft| signature::sign(draft, key)).collect::<Vec<_>>();
        let workers = self.workers.min(drafts.len() / LEAST_SHARE);
        if workers < 2 {
            return sign(drafts);
        }
        let mut signed = Vec::with_capacity(drafts.len());
        crew::share(drafts, workers, LEAST_RUN, sign, |run| signed.extend(run));
        signed
    }
}

/// Take in what a socket read, whose whole frames are opened and read side by side.
fn receive_among(workers: usize, session: &mut Session, data: &[u8]) -> Vec<Event> {
    session.receive_with(data, |reader, frames| {
        let mut read = Vec::with_capacity(frames.len());
        let open = |run: Vec<&[u8]>| run.into_iter().map(|frame| reader.read(frame)).collect::<Vec<_>>();
        crew::share(frames.to_vec(), workers.min(frames.len()).max(1), 1, open, |run| read.extend(run));
        read
    })
}

#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod tests;
