//! Python's view of the one thread that writes a store. The thread needs the GIL only for operations that are Python's own,
//! and to call where there is no pipe: a commit that comes back does not wait for the loop, nor the loop for it.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use covey_core::Refusal;
use covey_core::id::NodeId;
use covey_core::intake;
use covey_core::record::Verified;
use covey_store::writer::{self, Answer, Bounds, Desk, Failure, Job, Paces, Part, Untaken};
use covey_store::{Own, StoreError};
use pyo3::exceptions::{PyException, PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::errors::CoreError;
use crate::intake::OutcomeBatch;
use crate::own::OwnBatch;
use crate::record::Record;
use crate::store::Store;
use crate::store_delivery::Attention;

/// One thing to be written, and whom to tell.
struct Task {
    token: u64,
    callback: Py<PyAny>,
    now_ms: u64,
    what: What,
}

/// What is to be written.
enum What {
    /// The outcomes of one batch.
    Commit(Arc<intake::OutcomeBatch>, Option<Py<Attention>>),
    /// An own record, its recipients, and when it expires.
    Put(Arc<Verified>, Vec<String>, Option<u64>),
    /// Own records for everybody.
    PutBatch(Py<OwnBatch>),
    /// Any other operation on the store.
    Call(Py<PyAny>),
}

/// What it came to.
enum Done {
    /// Positions in its batch that were held from long ago.
    Held(Vec<usize>),
    /// Whether an own record is new, and its numbers at its recipients.
    Put(bool, Vec<u64>),
    /// What an operation returned.
    Value(Py<PyAny>),
}

impl Job for Task {
    type Done = Done;

    fn rows(&self) -> usize {
        match &self.what {
            What::Commit(batch, _) => batch.outcomes.len(),
            What::PutBatch(batch) => batch.get().records().len(),
            What::Put(..) | What::Call(_) => 1,
        }
    }

    fn joins(&self, first: &Self) -> bool {
        matches!(
            (&self.what, &first.what),
            (What::Commit(..), What::Commit(..))
                | (What::Put(..), What::Put(..))
                | (What::PutBatch(_), What::PutBatch(_))
        )
    }
}

/// Who is told that there are answers.
enum Bell {
    /// Whoever reads the other end: no GIL is needed to ring.
    Pipe(PipeWriter, PipeReader),
    /// A function, where no loop watches a pipe.
    Call(Py<PyAny>),
}

/// How writers' threads enter the interpreter: it ends but once, for all of them, and for those that nobody holds any more.
struct Gate {
    within: Mutex<Within>,
    left: Condvar,
}

struct Within {
    open: bool,
    threads: usize,
}

static GATE: Gate = Gate { within: Mutex::new(Within { open: true, threads: 0 }), left: Condvar::new() };

/// For so long the end of the interpreter waits for a thread that is in it: an operation may never return.
const LEAVE: Duration = Duration::from_secs(1);
/// After so long whoever closes looks whether the process was told something meanwhile, as by Ctrl-C.
const HEED: Duration = Duration::from_millis(100);

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Within> {
        self.within.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in the interpreter; None where that is about to end.
    fn enter<T>(&self, work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
        let mut within = self.lock();
        if !within.open {
            return None;
        }
        within.threads += 1;
        drop(within);
        let _leaves = Leaves(self);
        Python::try_attach(work)
    }

    /// Lets no thread in any more, and waits a moment for those that are.
    fn shut(&self) {
        let mut within = self.lock();
        within.open = false;
        let _waited = self.left.wait_timeout_while(within, LEAVE, |within| within.threads > 0);
    }
}

/// A thread that is in the interpreter; it leaves by a panic, too.
struct Leaves<'a>(&'a Gate);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
        self.0.left.notify_all();
    }
}

/// The store, as a writer's thread writes to it.
struct Shelf {
    store: Py<Store>,
    bell: Arc<Bell>,
}

impl Shelf {
    fn commit(&self, group: &[Task], now_ms: u64) -> Result<Vec<Done>, Failure> {
        let batch = |task| match task {
            &Task { what: What::Commit(ref batch, ref known), .. } => {
                Some((batch.as_ref(), known.as_ref().map(|known| &known.get().inner)))
            }
            _ => None,
        };
        let batches: Vec<_> = group.iter().filter_map(batch).collect();
        let report = self.store.get().inner.commit_attended(&batches, now_ms).map_err(|error| failed(&error))?;
        let mut held = vec![Vec::new(); batches.len()];
        for (place, position) in report.held {
            held[place].push(position);
        }
        Ok(held.into_iter().map(Done::Held).collect())
    }

    fn put(&self, group: &[Task], now_ms: u64) -> Result<Vec<Done>, Failure> {
        let mut parsed = Vec::with_capacity(group.len());
        for task in group {
            if let What::Put(record, recipients, deadline_ms) = &task.what {
                let nodes = recipients.iter().map(|id| NodeId::parse(id)).collect::<Result<Vec<_>, _>>();
                parsed.push((record, nodes.map_err(|refusal| refused(&refusal))?, *deadline_ms));
            }
        }
        let own: Vec<_> = parsed
            .iter()
            .map(|(record, recipients, deadline_ms)| Own { record, recipients, deadline_ms: *deadline_ms })
            .collect();
        let stored = self.store.get().inner.put_own_many(&own, now_ms).map_err(|error| failed(&error))?;
        Ok(stored.into_iter().map(|put| Done::Put(put.fresh, put.numbers)).collect())
    }

    fn put_batches(&self, group: &[Task], now_ms: u64) -> Result<Vec<Done>, Failure> {
        let batch = |task| match task {
            &Task { what: What::PutBatch(ref batch), .. } => Some(batch.get().records()),
            _ => None,
        };
        let batches: Vec<&[Arc<Verified>]> = group.iter().filter_map(batch).collect();
        let all = batches.iter().flat_map(|batch| batch.iter());
        let own: Vec<_> = all.map(|record| Own { record, recipients: &[], deadline_ms: None }).collect();
        let mut stored = self.store.get().inner.put_own_many(&own, now_ms).map_err(|error| failed(&error))?.into_iter();
        let held = |batch: &&[Arc<Verified>]| {
            let put = stored.by_ref().take(batch.len()).enumerate();
            Done::Held(put.filter(|(_, put)| !put.fresh).map(|(place, _)| place).collect())
        };
        Ok(batches.iter().map(held).collect())
    }

    fn operate(&self, operation: &Py<PyAny>) -> Result<Vec<Done>, Failure> {
        let ended = || Failure::Broken("the interpreter is about to end".to_owned());
        let done = GATE.enter(|py| match operation.bind(py).call1((self.store.clone_ref(py),)) {
            Ok(value) => Ok(vec![Done::Value(value.unbind())]),
            Err(error) => Err(raised(py, &error)),
        });
        done.unwrap_or_else(|| Err(ended()))
    }
}

impl Desk<Task> for Shelf {
    fn write(&self, group: &[Task]) -> Result<Vec<Done>, Failure> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(Vec::new()) };
        match &first.what {
            What::Commit(..) => self.commit(group, last.now_ms),
            What::Put(..) => self.put(group, last.now_ms),
            What::PutBatch(_) => self.put_batches(group, last.now_ms),
            What::Call(operation) => self.operate(operation),
        }
    }

    fn index(&self, most: u64, wanted: Option<&dyn Fn() -> bool>) -> Result<u64, StoreError> {
        let (store, most) = (&self.store.get().inner, i64::try_from(most).unwrap_or(i64::MAX));
        wanted.map_or_else(|| store.index_some(most), |wanted| store.index_unless(most, wanted))
    }

    fn merge(&self) -> Result<bool, StoreError> {
        self.store.get().inner.merge_some()
    }

    fn log_trouble(&self) -> Option<String> {
        self.store.get().inner.log_trouble()
    }

    fn synced(&self) -> Duration {
        self.store.get().inner.synced()
    }

    fn log_copied(&self) -> Option<(Instant, Instant)> {
        self.store.get().inner.log_copied()
    }

    fn ring(&self) -> bool {
        match &*self.bell {
            // There is one byte in it at most, and its other end is ours: it can be written, and at once.
            Bell::Pipe(pipe, _) => (&*pipe).write_all(&[1]).is_ok(),
            Bell::Call(wake) => GATE.enter(|py| called(wake.bind(py))).unwrap_or(false),
        }
    }
}

fn nanos(length: Duration) -> i64 {
    i64::try_from(length.as_nanos()).unwrap_or(i64::MAX)
}

/// Calls `wake`. Whose loop is gone raises: what was stored stays stored, and the answers count as untaken. What else a
/// callback raises has nobody who called it, and must be heard of.
fn called(wake: &Bound<'_, PyAny>) -> bool {
    let Err(error) = wake.call0() else { return true };
    let py = wake.py();
    if !error.is_instance_of::<PyRuntimeError>(py) {
        error.write_unraisable(py, Some(wake));
    }
    false
}

fn failed(error: &StoreError) -> Failure {
    Failure::Refused { reason: error.reason.as_str().to_owned(), detail: error.to_string() }
}

fn refused(refusal: &Refusal) -> Failure {
    Failure::Refused { reason: refusal.reason.as_str().to_owned(), detail: refusal.detail.clone() }
}

/// What an operation's exception means: a native refusal says itself why; what is no error ends the thread.
fn raised(py: Python<'_>, error: &PyErr) -> Failure {
    let value = error.value(py);
    let word = |name: &str| value.getattr(name).and_then(|word| word.extract::<String>());
    if error.is_instance_of::<CoreError>(py)
        && let (Ok(reason), Ok(detail)) = (word("reason"), word("detail"))
    {
        return Failure::Refused { reason, detail };
    }
    let kind = value.get_type().name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
    let detail = format!("{kind}: {value}");
    if error.is_instance_of::<PyException>(py) {
        return Failure::Refused { reason: "store_operation".to_owned(), detail };
    }
    Failure::Broken(detail)
}

/// (callback, token, positions held from long ago, value, reason and detail where nothing was stored).
type Told = (Py<PyAny>, u64, Vec<usize>, Option<Py<PyAny>>, Option<(String, String)>);
/// (what fails beside the jobs, why).
type Complaint = (&'static str, String);

fn told(py: Python<'_>, answer: Answer<Task>) -> PyResult<Told> {
    let Task { token, callback, .. } = answer.job;
    Ok(match answer.outcome {
        Ok(Done::Held(held)) => (callback, token, held, None, None),
        Ok(Done::Put(fresh, numbers)) => {
            let value = (fresh, numbers).into_pyobject(py)?.into_any().unbind();
            (callback, token, Vec::new(), Some(value), None)
        }
        Ok(Done::Value(value)) => (callback, token, Vec::new(), Some(value), None),
        Err(failure) => (callback, token, Vec::new(), None, Some(failure)),
    })
}

/// Writes one store, on a thread of its own. Answers are taken with `take`, in the order of what was handed in.
#[pyclass(frozen, module = "covey._core")]
pub struct Writer {
    inner: writer::Writer<Task>,
    bell: Arc<Bell>,
}

impl Writer {
    fn hand_in(&self, token: u64, callback: Py<PyAny>, now_ms: u64, what: What) -> Option<(&'static str, String)> {
        let (_, why) = self.inner.hand_in(Task { token, callback, now_ms, what }).err()?;
        Some(match why {
            Untaken::Busy(rows) => ("store_busy", rows.to_string()),
            Untaken::Closed => ("store_closed", String::new()),
            Untaken::Ended(why) => ("store_closed", why),
        })
    }
}

/// (rows that wait, transactions, answers nobody took, what fails beside the commits).
type Figures = (usize, u64, usize, Vec<(&'static str, Option<String>)>);
/// What was not taken: the reason, and how many rows wait or why the thread ended.
type Refused = Option<(&'static str, String)>;

#[pymethods]
impl Writer {
    /// Begin.
    ///
    /// Args:
    ///     queue_rows: Rows that may wait; past it nothing is taken.
    ///     group_rows: Rows of one transaction.
    ///     rest_seconds: Without a commit before few rows are indexed.
    ///     busy_rows: Rows that wait before they are indexed between commits.
    ///     burst_rows: Rows of one group from which on blocks come in bulk.
    ///     slice_rows: Rows indexed at once at most.
    ///     lag_rows: Rows the index may be behind.
    ///     wake: Called, on the writer's thread, when there are answers; None: a byte can be read at `fileno`.
    #[new]
    #[pyo3(signature = (
        store, *, queue_rows, group_rows, rest_seconds, busy_rows, burst_rows, slice_rows, lag_rows, wake=None
    ))]
    #[allow(clippy::too_many_arguments, reason = "each by its name")]
    fn new(
        store: Py<Store>,
        queue_rows: usize,
        group_rows: usize,
        rest_seconds: f64,
        busy_rows: u64,
        burst_rows: u64,
        slice_rows: u64,
        lag_rows: u64,
        wake: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let rest = Duration::try_from_secs_f64(rest_seconds).unwrap_or(Duration::ZERO);
        let paces = Paces { rest, busy_rows, burst_rows, slice_rows, lag_rows };
        let bell = Arc::new(if let Some(wake) = wake {
            Bell::Call(wake)
        } else {
            let (read, write) = pipe()?;
            Bell::Pipe(write, read)
        });
        let shelf = Shelf { store, bell: Arc::clone(&bell) };
        let inner = writer::Writer::begin(shelf, Bounds { queue_rows, group_rows }, paces)?;
        Ok(Self { inner, bell })
    }

    /// The descriptor that can be read when there are answers.
    fn fileno(&self) -> PyResult<i32> {
        #[cfg(unix)]
        if let Bell::Pipe(_, read) = &*self.bell {
            return Ok(std::os::fd::AsRawFd::as_raw_fd(read));
        }
        Err(PyOSError::new_err("it calls where there are answers, and has no pipe"))
    }

    /// Hand in the outcomes of one batch. Return None, or (reason, detail) where nothing was taken; so do the others.
    fn commit(
        &self,
        token: u64,
        batch: &OutcomeBatch,
        now_ms: u64,
        callback: Py<PyAny>,
        attention: Option<Py<Attention>>,
    ) -> Refused {
        self.hand_in(token, callback, now_ms, What::Commit(Arc::clone(&batch.inner), attention))
    }

    /// Hand in an own record.
    fn put(
        &self,
        token: u64,
        record: &Record,
        recipients: Vec<String>,
        now_ms: u64,
        callback: Py<PyAny>,
        deadline_ms: Option<u64>,
    ) -> Refused {
        self.hand_in(token, callback, now_ms, What::Put(Arc::clone(&record.inner), recipients, deadline_ms))
    }

    /// Hand in own records for everybody.
    fn put_batch(&self, token: u64, batch: Py<OwnBatch>, now_ms: u64, callback: Py<PyAny>) -> Refused {
        self.hand_in(token, callback, now_ms, What::PutBatch(batch))
    }

    /// Hand in any other operation; it is called on the writer's thread with the store.
    fn call(&self, token: u64, operation: Py<PyAny>, callback: Py<PyAny>) -> Refused {
        self.hand_in(token, callback, 0, What::Call(operation))
    }

    /// Take the answers that are there, and (word, why) of what fails beside the commits.
    fn take(&self, py: Python<'_>) -> PyResult<(Vec<Told>, Vec<Complaint>)> {
        let (answers, complaints, rung) = self.inner.take();
        if rung && let Bell::Pipe(_, read) = &*self.bell {
            (&*read).read_exact(&mut [0])?; // it is there, or is being written at this moment
        }
        let answers = answers.into_iter().map(|answer| told(py, answer)).collect::<PyResult<_>>()?;
        Ok((answers, complaints.into_iter().map(|(part, why)| (part.as_str(), why)).collect()))
    }

    /// Take nothing more, finish what waits, end the thread. Safe to call twice.
    ///
    /// Raises:
    ///     Whatever a signal's handler raises meanwhile, as KeyboardInterrupt: it takes nothing more, and ends later.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        while !py.detach(|| self.inner.close_within(HEED)) {
            py.check_signals()?;
        }
        Ok(())
    }

    /// Let no writer's thread enter the interpreter any more: it is about to end.
    #[staticmethod]
    fn leave(py: Python<'_>) {
        py.detach(|| GATE.shut());
    }

    /// Keep what the thread does from now on, the next `room` things of it.
    fn watch(&self, room: usize) {
        self.inner.watch(room);
    }

    /// Return what the thread did since it is watched: (what, began, ended, of that the disk), in nanoseconds, of which
    /// `now_ns` is this moment. Whoever calls says what his clock shows.
    fn deeds(&self, now_ns: i64) -> Vec<(&'static str, i64, i64, i64)> {
        let now = Instant::now();
        let ago = |then: Instant| now_ns.saturating_sub(nanos(now.saturating_duration_since(then)));
        let deeds = self.inner.deeds().into_iter();
        deeds.map(|deed| (deed.did.as_str(), ago(deed.began), ago(deed.ended), nanos(deed.disk))).collect()
    }

    /// Return rows that wait, transactions, answers nobody took, and what fails beside the commits, by its word.
    fn standing(&self) -> Figures {
        let standing = self.inner.standing();
        let troubles = Part::ALL.iter().map(|part| part.as_str()).zip(standing.troubles).collect();
        (standing.waiting_rows, standing.transactions, standing.untaken, troubles)
    }

    /// Whoever is to hear an answer may hold this writer himself, and nobody else either of them.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.inner.look(|answer| {
            visit.call(&answer.job.callback)?;
            match &answer.job.what {
                What::Commit(_, known) => visit.call(known)?,
                What::Put(..) => (),
                What::PutBatch(batch) => visit.call(batch)?,
                What::Call(operation) => visit.call(operation)?,
            }
            if let Ok(Done::Value(value)) = &answer.outcome { visit.call(value) } else { Ok(()) }
        })
    }

    fn __clear__(&self) {
        drop(self.inner.take());
    }

    fn __repr__(&self) -> String {
        let standing = self.inner.standing();
        format!("Writer({} rows wait, {} transactions)", standing.waiting_rows, standing.transactions)
    }
}

/// Put this room's class into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Writer>()
}
