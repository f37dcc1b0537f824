//! Python's view of the intake: opaque records in, outcomes out, built for Python only where they are looked at.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use covey_core::category::{COUNT, Weights};
use covey_core::error::{Reason, Refusal};
use covey_core::id::{ContentKey, NodeId};
use covey_core::intake::{self, Kind, Policy};
use covey_core::limits;
use covey_core::svaf::{Gate, Thresholds};
use covey_engine::Engine;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::batch::{Heard, RecordBatch};
use crate::encoder::Encoder;
use crate::errors::mapped;
use crate::keys::checked;
use crate::prior::Prior;
use crate::record::{Hearsay, Record};
use crate::svaf::{Basis, Evaluation};

/// The one place where a peer's records become outcomes (MMP 2.0 §8.8.5, §9.2). Calls are safe from any thread.
#[pyclass(frozen, module = "covey._core")]
pub struct Intake {
    inner: Mutex<intake::Intake>,
    engine: Arc<Engine>,
}

impl Intake {
    /// Use the native intake; never while holding the GIL for long, never touching Python.
    ///
    /// A call that panicked has left memory that is whole, if perhaps a block behind; the lock is good.
    pub fn lock(&self) -> MutexGuard<'_, intake::Intake> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Intake {
    /// Make an intake that has heard nothing.
    ///
    /// Args:
    ///     node_id: This node.
    ///     room: The one room whose records it takes.
    ///     weights: Seven numbers in CAT7 order, at least 0; 0 takes a category out.
    ///     window: How many anchors a block is compared with, the most recent ones.
    ///     freshness_seconds: After this, a block or an anchor has lost 63 % of its freshness.
    ///     stable, guarded: Total drift up to which a block is aligned, and guarded.
    ///     temporal_lambda: The share of age in the total drift, 0 to 1.
    ///     redundancy: Nearest-anchor distance below which a category only repeats.
    ///     seen_capacity: How many judged blocks are remembered.
    ///     max_ahead_ms: How far ahead of `now_ms` a signed time may lie, a day at most.
    ///     encoder: covey's own path with this encoder; None for the baseline. What of `window`, `stable`, `guarded`
    ///         and `redundancy` is None is then the path's and the encoder's own.
    ///     workers: Cores that check signatures of one batch side by side, at most 4; None for those of this machine.
    ///         No outcome depends on it.
    ///
    /// Raises:
    ///     CoreError: invalid_id, invalid_room or invalid_argument.
    #[new]
    #[pyo3(signature = (node_id, room, weights, *, window=None, freshness_seconds=1800.0, stable=None,
        guarded=None, temporal_lambda=0.3, redundancy=None, seen_capacity=limits::SEEN_CAPACITY,
        max_ahead_ms=limits::MAX_FUTURE_MS, encoder=None, workers=None))]
    #[allow(clippy::too_many_arguments)] // a policy's numbers, each by keyword
    fn new(
        py: Python<'_>,
        node_id: &str,
        room: &str,
        weights: [f64; COUNT],
        window: Option<usize>,
        freshness_seconds: f64,
        stable: Option<f64>,
        guarded: Option<f64>,
        temporal_lambda: f64,
        redundancy: Option<f64>,
        seen_capacity: usize,
        max_ahead_ms: u64,
        encoder: Option<&Encoder>,
        workers: Option<usize>,
    ) -> PyResult<Self> {
        let engine = workers.map_or_else(Engine::of_machine, |workers| Arc::new(Engine::new(workers)));
        let encoder = encoder.map(|encoder| encoder.inner.clone());
        let usual = encoder.as_ref().map_or(Thresholds::DEFAULT, Thresholds::selective);
        let thresholds = Thresholds {
            stable: stable.unwrap_or(usual.stable),
            guarded: guarded.unwrap_or(usual.guarded),
            redundancy: redundancy.unwrap_or(usual.redundancy),
            temporal_lambda,
            freshness_seconds,
            ..usual
        };
        let made = NodeId::parse(node_id).and_then(|node_id| {
            let gate = Gate::new(Weights::new(weights)?, thresholds)?;
            let usual = match encoder {
                Some(encoder) => Policy::selective(gate, encoder),
                None => Policy::new(gate),
            };
            let window = window.unwrap_or(usual.window);
            intake::Intake::new(node_id, room, Policy { window, seen_capacity, max_ahead_ms, ..usual })
        });
        mapped(py, made).map(|inner| Self { inner: Mutex::new(inner), engine })
    }

    /// Bind a node to the 32-byte public key it proved; return bound, known, conflict (the first key stays) or full.
    ///
    /// A node binds its own key too, so that its own blocks are known when they come back.
    fn bind(&self, py: Python<'_>, node_id: &str, public_key: [u8; 32]) -> PyResult<&'static str> {
        let bound = py.detach(|| {
            let (node_id, key) = (NodeId::parse(node_id)?, checked(public_key)?);
            Ok(self.lock().bind(node_id, key).as_str())
        });
        mapped(py, bound)
    }

    /// Return the raw public key a node is bound to, or None.
    fn bound<'py>(&self, py: Python<'py>, node_id: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let node_id = mapped(py, NodeId::parse(node_id))?;
        let key = py.detach(|| self.lock().bound(node_id).map(|key| *key.as_bytes()));
        Ok(key.map(|key| PyBytes::new(py, &key)))
    }

    /// Judge at most 256 records in order; the GIL is released.
    ///
    /// Args:
    ///     batch: What the session heard; it is taken out and cannot be judged twice.
    ///     session_node_id: The session's proven peer, who need not be the author.
    ///     now_ms: The receiver's time, milliseconds since the epoch.
    ///     entropy: 32 bytes. Unused while every record is verified singly, which needs no randomness.
    ///
    /// Raises:
    ///     CoreError: invalid_argument for a batch too large or already judged; the records are then gone.
    #[pyo3(signature = (batch, *, session_node_id, now_ms, entropy=None))]
    fn evaluate(
        &self,
        py: Python<'_>,
        batch: &RecordBatch,
        session_node_id: &str,
        now_ms: u64,
        entropy: Option<[u8; 32]>,
    ) -> PyResult<OutcomeBatch> {
        let _ = entropy;
        let judged = py.detach(|| {
            let session = NodeId::parse(session_node_id)?;
            match batch.take()? {
                Heard::Records(records) => self.engine.evaluate(&mut self.lock(), records, session, now_ms),
                Heard::Hearsay(heard) => Engine::evaluate_hearsay(&mut self.lock(), heard.into_iter(), session, now_ms),
            }
        });
        mapped(py, judged).map(OutcomeBatch::wrap)
    }

    /// Take in a stored block of one's own: it counts as judged and becomes an anchor. Return new or duplicate.
    fn admit_own(&self, py: Python<'_>, record: &Record, now_ms: u64) -> &'static str {
        let record = Arc::clone(&record.inner);
        let new = py.detach(|| self.lock().admit_own(&record, now_ms));
        if new { "new" } else { "duplicate" }
    }

    /// Take back what a call changed, because its outcomes could not be stored: what follows is judged as if it had
    /// never been.
    fn rollback(&self, py: Python<'_>, outcomes: &OutcomeBatch) {
        let outcomes = Arc::clone(&outcomes.inner);
        py.detach(|| self.lock().rollback(&outcomes));
    }

    /// Return the content keys of the anchors, newest first.
    fn anchors(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.lock().anchors().map(|key| key.to_string()).collect())
    }

    /// Id of the encoder in use.
    #[getter]
    fn kernel(&self) -> String {
        self.lock().kernel().to_owned()
    }

    /// Say what the lifecycle of a held block makes of it, 1 for an observation; return whether newcomers meet it.
    fn weigh(&self, py: Python<'_>, key: &str, weight: f64) -> PyResult<bool> {
        let weighed = py.detach(|| ContentKey::parse(key).map(|key| self.lock().weigh(key, weight)));
        mapped(py, weighed)
    }

    /// Say which nodes have validator authority now: what these said to everybody, naming no parent, counts as a directive (§11.3).
    #[expect(clippy::needless_pass_by_value, reason = "pyo3 gives lists by value")]
    fn heed(&self, py: Python<'_>, node_ids: Vec<String>) -> PyResult<()> {
        let heeded: Result<Vec<NodeId>, Refusal> = node_ids.iter().map(|node_id| NodeId::parse(node_id)).collect();
        let heeded = mapped(py, heeded)?;
        py.detach(|| self.lock().heed(heeded));
        Ok(())
    }

    /// Judge from now on with what others learned; None: without. False where the prior is of another encoder.
    #[pyo3(signature = (prior))]
    fn prime(&self, py: Python<'_>, prior: Option<&Prior>) -> bool {
        let prior = prior.map(|prior| prior.inner.clone());
        py.detach(|| self.lock().prime(prior))
    }

    fn __repr__(&self) -> String {
        format!("Intake(window {})", self.lock().policy().window)
    }
}

/// The outcomes of one call, in the order the records were heard. An `Outcome` is built when it is asked for.
#[pyclass(frozen, module = "covey._core")]
pub struct OutcomeBatch {
    /// What the store persists.
    pub inner: Arc<intake::OutcomeBatch>,
}

impl OutcomeBatch {
    fn wrap(inner: intake::OutcomeBatch) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

#[pymethods]
impl OutcomeBatch {
    fn __len__(&self) -> usize {
        self.inner.outcomes.len()
    }
    fn __getitem__(&self, index: isize) -> PyResult<Outcome> {
        let length = self.inner.outcomes.len();
        let place = if index < 0 { length.checked_add_signed(index) } else { usize::try_from(index).ok() };
        match place.filter(|place| *place < length) {
            Some(place) => Ok(Outcome { batch: Arc::clone(&self.inner), place }),
            None => Err(PyIndexError::new_err(format!("outcome {index} of {length}"))),
        }
    }
    /// How many outcomes there are of each kind; every kind is present.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = PyDict::new(py);
        for kind in Kind::ALL {
            counts.set_item(kind.as_str(), self.inner.count(kind))?;
        }
        Ok(counts)
    }
    /// The indices that are worth a look: all but the duplicates.
    #[getter]
    fn attention<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let worth = |outcome: &intake::Outcome| outcome.kind != Kind::Duplicate;
        let indices = self.inner.outcomes.iter().enumerate().filter(|(_, outcome)| worth(outcome));
        PyList::new(py, indices.map(|(index, _)| index).collect::<Vec<_>>())
    }
    /// The indices of the records that failed a check.
    #[getter]
    fn refused<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let failed = self.inner.outcomes.iter().enumerate().filter(|(_, outcome)| outcome.kind == Kind::Refused);
        PyList::new(py, failed.map(|(index, _)| index).collect::<Vec<_>>())
    }
    /// The authors of what the application hears of this batch, each once.
    fn authors(&self) -> Vec<String> {
        let heard = self.inner.outcomes.iter().filter(|outcome| outcome.deliver());
        let authors: BTreeSet<NodeId> = heard.map(intake::Outcome::author).collect();
        authors.iter().map(ToString::to_string).collect()
    }
    /// What was addressed to this node, or refused and may have been, as (index, assertion id, kind).
    fn addressed(&self) -> Vec<(usize, String, &'static str)> {
        let here = |outcome: &intake::Outcome| outcome.directed || outcome.kind == Kind::Refused;
        let found = self.inner.outcomes.iter().enumerate().filter(|(_, outcome)| here(outcome));
        found.map(|(index, outcome)| (index, outcome.assertion_id().to_string(), outcome.kind.as_str())).collect()
    }
    /// Return how many records a receipt tells of, and its one `x-covey-delivery` frame; None when of none.
    #[pyo3(signature = (*, duplicates))]
    fn receipt<'py>(&self, py: Python<'py>, duplicates: bool) -> Option<(usize, Bound<'py, PyBytes>)> {
        let written = py.detach(|| intake::receipt_frame(&self.inner, duplicates));
        written.map(|(count, frame)| (count, PyBytes::new(py, &frame)))
    }
    /// The direct parents that admitted records name, each once, but for those admitted with them.
    fn missing_parents(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.inner.missing_parents().iter().map(ToString::to_string).collect())
    }
    /// The proven peer of the session that delivered them.
    #[getter]
    fn session_node_id(&self) -> String {
        self.inner.session.to_string()
    }
    /// When they were judged, milliseconds since the epoch.
    #[getter]
    fn judged_ms(&self) -> u64 {
        self.inner.judged_ms
    }
    fn __repr__(&self) -> String {
        let counted = Kind::ALL.map(|kind| format!("{} {}", self.inner.count(kind), kind.as_str()));
        format!("OutcomeBatch({})", counted.join(", "))
    }
}

/// What became of one record. Key, ids and author of a refused record are only what it claimed.
#[pyclass(frozen, module = "covey._core")]
pub struct Outcome {
    batch: Arc<intake::OutcomeBatch>,
    place: usize,
}

impl Outcome {
    fn inner(&self) -> &intake::Outcome {
        &self.batch.outcomes[self.place]
    }
}

#[pymethods]
impl Outcome {
    /// One of admitted, redundant, rejected, duplicate, refused.
    #[getter]
    fn kind(&self) -> &'static str {
        self.inner().kind.as_str()
    }
    /// The stable reason of a refusal, else None.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.inner().refusal.as_ref().map(|refusal| Reason::as_str(refusal.reason))
    }
    /// A refusal for a person, or what admission rests on; None for a duplicate.
    #[getter]
    fn detail(&self) -> Option<String> {
        let refused = self.inner().refusal.as_ref().map(|refusal: &Refusal| refusal.detail.clone());
        refused.or_else(|| self.inner().evaluation.as_ref().map(|said| self.batch.gate.explain(said)))
    }
    #[getter]
    fn key(&self) -> String {
        self.inner().key().to_string()
    }
    #[getter]
    fn assertion_id(&self) -> String {
        self.inner().assertion_id().to_string()
    }
    /// The author's node.
    #[getter]
    fn node_id(&self) -> String {
        self.inner().author().to_string()
    }
    /// The author's label, for people.
    #[getter]
    fn author(&self) -> &str {
        self.inner().author_label()
    }
    /// Whether its signed `to` names this node.
    #[getter]
    fn directed(&self) -> bool {
        self.inner().directed
    }
    /// Whether the application hears it, once it is stored: admitted, or directed here and new (§9.2.2).
    #[getter]
    fn deliver(&self) -> bool {
        self.inner().deliver()
    }
    /// The mood that reaches the application although its block is rejected (§9.3).
    #[getter]
    fn mood(&self) -> Option<&str> {
        self.inner().mood()
    }
    /// The verified record; None where the record did not verify.
    #[getter]
    fn record(&self) -> Option<Record> {
        self.inner().record().map(|record| Record { inner: Arc::clone(record) })
    }
    /// What was heard on a wire that proves less; None where the record is verified, or was only claimed.
    #[getter]
    fn hearsay(&self) -> Option<Hearsay> {
        self.inner().hearsay().map(|heard| Hearsay { inner: Arc::clone(heard) })
    }
    /// What admission said; None where it was not asked.
    #[getter]
    fn evaluation(&self) -> Option<Evaluation> {
        self.inner().evaluation.as_ref().map(|said| Evaluation::wrap(said, &self.batch.gate))
    }
    /// What that rests on; None where admission was not asked.
    #[getter]
    fn basis(&self) -> Option<Basis> {
        self.inner().basis.as_deref().map(Basis::wrap)
    }
    fn __repr__(&self) -> String {
        format!("Outcome({}, {})", self.kind(), self.key())
    }
}
