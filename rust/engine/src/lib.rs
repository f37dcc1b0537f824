//! Intake on several cores. Addresses and signatures of a batch are checked side by side: that is nearly all of the
//! work, and no record's check says anything about another's. What needs an order — what was judged before, memory,
//! admission — then runs on one core in the order in which the records were heard.
//!
//! Rules: outcomes are those of [`Intake::evaluate`], whatever the number of workers. Workers live as long as one call:
//! there is no queue that could grow and no thread that an idle peer keeps.

use std::num::NonZeroUsize;
use std::thread;

use covey_core::error::Refusal;
use covey_core::id::NodeId;
use covey_core::intake::{Checked, Intake, OutcomeBatch};
use covey_core::limits::MAX_INTAKE_BATCH;
use covey_core::record::{Batch, Unverified};

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

    /// An engine with a worker for each core that this process may use.
    pub fn of_machine() -> Self {
        Self::new(thread::available_parallelism().map_or(1, NonZeroUsize::get))
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
        let checked = check(intake, batch, workers);
        intake.judge_checked(checked, session, now_ms)
    }
}

/// Check a batch in as many parts as there are workers, and put what came of them together in its order.
fn check(intake: &Intake, batch: Batch, workers: usize) -> Checked {
    let mut parts = parts(batch.0, workers);
    let last = parts.pop().unwrap_or_default();
    thread::scope(|scope| {
        let started: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || intake.check(part))).collect();
        // This thread is a worker, too, with the part that comes last.
        let last = intake.check(last);
        let mut checked = Checked::default();
        for worker in started {
            match worker.join() {
                Ok(part) => checked.append(part),
                // A panic of a worker is a panic of the call: a batch that was judged in part is judged not at all.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        checked.append(last);
        checked
    })
}

fn parts(records: Vec<Unverified>, workers: usize) -> Vec<Vec<Unverified>> {
    let share = records.len().div_ceil(workers);
    let mut rest = records;
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
