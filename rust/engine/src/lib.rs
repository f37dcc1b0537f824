//! Intake on several cores. Addresses and signatures of a batch are checked, and texts read, side by side: that is nearly all of the
//! work, and no record's check says anything about another's. What needs an order — what was judged before, memory,
//! admission — then runs on one core in the order in which the records were heard. Own records are signed side by side.
//!
//! Rules: outcomes are those of [`Intake::evaluate`], whatever the number of workers. Workers live as long as one call:
//! there is no queue that could grow and no thread that an idle peer keeps.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::thread;

use covey_core::error::Refusal;
use covey_core::id::NodeId;
use covey_core::identity::SigningKey;
use covey_core::intake::{Checked, Intake, OutcomeBatch};
use covey_core::limits::MAX_INTAKE_BATCH;
use covey_core::record::{Batch, Draft, Verified};
use covey_core::signature;

/// Most workers of one call: a batch has at most 256 records, and a peer is not the only program of its machine.
pub const MOST_WORKERS: usize = 4;
/// Fewest records for a worker: their checks take some ten times what starting a thread does.
pub const LEAST_SHARE: usize = 32;

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
        let workers = self.workers.min(batch.0.len() / LEAST_SHARE);
        if workers < 2 || batch.0.len() > MAX_INTAKE_BATCH {
            return intake.evaluate(batch, session, now_ms);
        }
        let mut checked = Checked::default();
        let shared: &Intake = intake;
        for part in spread(batch.0, workers, |part| shared.check(part)) {
            checked.append(part);
        }
        intake.judge_checked(checked, session, now_ms)
    }

    /// Sign drafts of one author: each, in its place, or why there is none.
    pub fn sign(&self, drafts: Vec<Draft>, key: &SigningKey) -> Vec<Result<Verified, Refusal>> {
        let sign = |part: Vec<Draft>| part.into_iter().map(|draft| signature::sign(draft, key)).collect::<Vec<_>>();
        let workers = self.workers.min(drafts.len() / LEAST_SHARE);
        if workers < 2 { sign(drafts) } else { spread(drafts, workers, sign).into_iter().flatten().collect() }
    }
}

/// Do `work` in as many parts as there are workers; what came of them, in their order.
fn spread<T: Send, R: Send>(items: Vec<T>, workers: usize, work: impl Fn(Vec<T>) -> R + Sync) -> Vec<R> {
    let mut parts = parts(items, workers);
    let (last, work) = (parts.pop().unwrap_or_default(), &work);
    thread::scope(|scope| {
        let started: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || work(part))).collect();
        // This thread is a worker, too, with the part that comes last.
        let last = work(last);
        let mut done = Vec::with_capacity(workers);
        for worker in started {
            match worker.join() {
                Ok(part) => done.push(part),
                // A panic of a worker is a panic of the call: a batch that was done in part is done not at all.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done.push(last);
        done
    })
}

fn parts<T>(items: Vec<T>, workers: usize) -> Vec<Vec<T>> {
    let share = items.len().div_ceil(workers);
    let mut rest = items;
    let mut parts = Vec::with_capacity(workers);
    while rest.len() > share {
        let behind = rest.split_off(share);
        parts.push(std::mem::replace(&mut rest, behind));
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests;
