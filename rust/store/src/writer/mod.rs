//! The one thread that writes a peer's store: jobs in, answers out in their order, after the disk has them.
//!
//! Rules: an idle writer writes at once; what comes while it is busy shares the next transaction. Nothing waits for company:
//! under load a transaction is about as long as the disk takes for the one before it. What follows a commit (the index of
//! full text) has its own pace. Whoever hands in and whoever takes answers holds the lock for moments only, and so does the
//! writer: no lock is held while anything is written, or while anybody is told.

mod deeds;
mod hand;
mod pace;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use crate::error::StoreError;
use deeds::Deeds;
pub use deeds::{Deed, Did};
use hand::Hand;
pub use pace::Paces;

/// Something to be written.
pub trait Job: Send + 'static {
    /// What it comes to.
    type Done: Send;

    /// Returns how many rows it counts as.
    fn rows(&self) -> usize;

    /// Tells whether it may be written in one transaction with those before it, of which `first` is the first.
    fn joins(&self, first: &Self) -> bool;
}

/// Where jobs are written, by one thread.
pub trait Desk<J: Job>: Send + 'static {
    /// Writes jobs that join each other, all of them or none; durable when it returns. One outcome for each.
    fn write(&self, group: &[J]) -> Result<Vec<J::Done>, Failure>;

    /// Adds so many rows at most to the index of full text; returns how many are left.
    /// With `wanted` it stops after a few of them once that says that a job waits.
    fn index(&self, most: u64, wanted: Option<&dyn Fn() -> bool>) -> Result<u64, StoreError>;

    /// Merges a few pages of that index; returns whether more may be merged.
    fn merge(&self) -> Result<bool, StoreError>;

    /// Returns why the log could not be copied back when that was tried last.
    fn log_trouble(&self) -> Option<String>;

    /// Returns how long the disk took for the last commit.
    fn synced(&self) -> Duration;

    /// Returns when the log was copied back last: from when to when. It goes on beside the jobs.
    fn log_copied(&self) -> Option<(Instant, Instant)>;

    /// Has somebody take the answers, soon; says whether he will come. Called once for all that are there, until they are
    /// taken; where nobody comes, with the next ones again.
    fn ring(&self) -> bool;
}

/// Why nothing of a group was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The jobs failed; those that come after them may not.
    Refused {
        /// A stable word.
        reason: String,
        /// For a person.
        detail: String,
    },
    /// Something broke that no writer goes on after.
    Broken(String),
}

/// What became of a job, which comes back with it.
#[derive(Debug)]
pub struct Answer<J: Job> {
    /// The job.
    pub job: J,
    /// What it came to, or why nothing of it was stored: a stable word, and a sentence for a person.
    pub outcome: Result<J::Done, (String, String)>,
}

/// Why a job was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untaken {
    /// So many rows wait already.
    Busy(usize),
    /// The writer was closed.
    Closed,
    /// The writer ended by itself, and why.
    Ended(String),
}

/// What can fail beside the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The index of full text cannot grow.
    Index,
    /// Its pieces cannot be merged.
    Merge,
    /// The log cannot be copied back.
    Log,
    /// The writer ended by itself.
    Writer,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Index, Self::Merge, Self::Log, Self::Writer];

    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index_trouble",
            Self::Merge => "merge_trouble",
            Self::Log => "log_trouble",
            Self::Writer => "writer_trouble",
        }
    }
}

/// How much a writer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Rows that may wait; past it nothing is taken.
    pub queue_rows: usize,
    /// Rows of one transaction.
    pub group_rows: usize,
}

/// A writer's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Rows handed in and not answered.
    pub waiting_rows: usize,
    /// Transactions so far.
    pub transactions: u64,
    /// Answers that nobody has taken.
    pub untaken: usize,
    /// What fails beside the jobs, of each part.
    pub troubles: [Option<String>; 4],
}

/// Writes jobs on a thread of its own. Calls are safe from any thread.
pub struct Writer<J: Job> {
    shared: Arc<Shared<J>>,
    bounds: Bounds,
    thread: Mutex<Option<JoinHandle<()>>>,
    thread_id: ThreadId,
    process: u32,
}

/// What the thread and its callers share.
struct Shared<J: Job> {
    queue: Mutex<Queue<J>>,
    changed: Condvar,
    /// The thread ends.
    gone: Condvar,
    deeds: Deeds,
}

struct Queue<J: Job> {
    jobs: VecDeque<J>,
    waiting_rows: usize,
    /// The thread waits for a job: else nobody need be told of one.
    waits: bool,
    stage: Stage,
    transactions: u64,
    answers: Vec<Answer<J>>,
    troubles: [Option<String>; 4],
    /// Troubles that began or changed, not told yet.
    complaints: Vec<(Part, String)>,
    /// Somebody was told of answers, and has not come yet.
    rung: bool,
}

/// How far a writer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Open,
    /// It takes nothing more.
    Closing,
    /// Its thread does nothing more.
    Ended,
}

impl<J: Job> Queue<J> {
    fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    fn close(&mut self) {
        self.stage = self.stage.max(Stage::Closing);
    }
}

impl<J: Job> Shared<J> {
    /// Locks the queue. Nothing that holds the lock can panic, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Queue<J>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Job> Writer<J> {
    /// Begins.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn begin<D: Desk<J>>(desk: D, bounds: Bounds, paces: Paces) -> std::io::Result<Self> {
        let queue = Queue {
            jobs: VecDeque::new(),
            waiting_rows: 0,
            waits: false,
            stage: Stage::Open,
            transactions: 0,
            answers: Vec::new(),
            troubles: Default::default(),
            complaints: Vec::new(),
            rung: false,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            gone: Condvar::new(),
            deeds: Deeds::default(),
        });
        let hand = Hand::new(Arc::clone(&shared), desk, bounds, paces);
        let thread = Builder::new().name("covey-store".to_owned()).spawn(move || hand.run())?;
        let thread_id = thread.thread().id();
        Ok(Self { shared, bounds, thread: Mutex::new(Some(thread)), thread_id, process: process::id() })
    }

    /// Takes a job; its answer follows. Where it is not taken it comes back.
    pub fn hand_in(&self, job: J) -> Result<(), (J, Untaken)> {
        let rows = job.rows();
        let mut queue = self.shared.lock();
        if !queue.is_open() {
            let ended = queue.troubles[Part::Writer as usize].clone();
            return Err((job, ended.map_or(Untaken::Closed, Untaken::Ended)));
        }
        if queue.waiting_rows > 0 && queue.waiting_rows + rows > self.bounds.queue_rows {
            let waiting = queue.waiting_rows;
            return Err((job, Untaken::Busy(waiting)));
        }
        queue.jobs.push_back(job);
        queue.waiting_rows += rows;
        let waits = queue.waits;
        drop(queue);
        if waits {
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    /// Takes the answers that are there, in the order of their jobs, and what fails beside them, as it began or changed.
    /// Says whether the desk had rung for them.
    pub fn take(&self) -> (Vec<Answer<J>>, Vec<(Part, String)>, bool) {
        let mut queue = self.shared.lock();
        let rung = std::mem::take(&mut queue.rung);
        (std::mem::take(&mut queue.answers), std::mem::take(&mut queue.complaints), rung)
    }

    /// Takes nothing more, finishes what waits, and ends the thread. Safe to call twice; from the thread itself it ends
    /// when it has finished.
    pub fn close(&self) {
        while !self.close_within(Duration::from_secs(60)) {}
    }

    /// Closes, but waits for so long at most; says whether there is nothing more to wait for.
    pub fn close_within(&self, patience: Duration) -> bool {
        let mut queue = self.shared.lock();
        queue.close();
        self.shared.changed.notify_one();
        // A fork has no such thread.
        if thread::current().id() == self.thread_id || process::id() != self.process {
            return true;
        }
        let waited = self.shared.gone.wait_timeout_while(queue, patience, |queue| queue.stage < Stage::Ended);
        let ended = waited.unwrap_or_else(PoisonError::into_inner).0.stage == Stage::Ended;
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if ended && let Some(thread) = thread.take() {
            // It catches what panics in it and says so: there is nothing left to hear of it.
            let _ended = thread.join();
        }
        ended
    }

    /// Shows the answers that nobody has taken to `look`, which must not call the writer.
    ///
    /// # Errors
    /// The first one of `look`.
    pub fn look<E>(&self, look: impl FnMut(&Answer<J>) -> Result<(), E>) -> Result<(), E> {
        self.shared.lock().answers.iter().try_for_each(look)
    }

    /// Keeps what the thread does from now on, the next `room` things of it, in place of what was kept before.
    pub fn watch(&self, room: usize) {
        self.shared.deeds.watch(room);
    }

    /// Returns what the thread did since it is watched.
    pub fn deeds(&self) -> Vec<Deed> {
        self.shared.deeds.kept()
    }

    /// Returns its figures.
    pub fn standing(&self) -> Standing {
        let queue = self.shared.lock();
        Standing {
            waiting_rows: queue.waiting_rows,
            transactions: queue.transactions,
            untaken: queue.answers.len(),
            troubles: queue.troubles.clone(),
        }
    }
}

impl<J: Job> Drop for Writer<J> {
    /// Lets the thread finish what waits, and does not wait for it.
    fn drop(&mut self) {
        self.shared.lock().close();
        self.shared.changed.notify_one();
    }
}

impl<J: Job> fmt::Debug for Writer<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("standing", &self.standing()).finish_non_exhaustive()
    }
}
