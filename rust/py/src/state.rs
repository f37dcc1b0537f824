//! Python's view of shared state: a replica behind a lock, deltas as bytes, reports as values.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use covey_core::Refusal;
use covey_core::clock;
use covey_core::error::Reason;
use covey_core::id::NodeId;
use covey_core::state::{self, BUCKETS, Replica, Row, Value};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMapping};

use crate::clock::VectorClock;
use crate::errors::mapped;
use crate::identity::Identity;
use crate::state_input::{Believed, Keys, writes};

/// By author: granted, spent, and given by author.
type BudgetRows = BTreeMap<String, (u64, u64, BTreeMap<String, u64>)>;

/// One replica of one shared state: registers, counters and sets that merge to the same bytes in any order.
#[pyclass(frozen, module = "covey._core")]
pub struct StateMap {
    inner: Mutex<Replica>,
}

impl StateMap {
    fn lock(&self) -> MutexGuard<'_, Replica> {
        // A call that panicked has left memory that is whole, if perhaps an operation behind; the lock is good.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn foreign() -> Refusal {
    Refusal::new(Reason::InvalidArgument, "state: the identity of another node")
}

/// Whether a replica is kept by this identity, under its nodeId or as the author that its key is.
fn keeps(replica: &Replica, identity: &Identity) -> bool {
    let (node, identity) = (replica.node(), &identity.inner);
    node == identity.node_id() || node == identity.key().public().author()
}

#[pymethods]
impl StateMap {
    /// An empty replica of the state named `scope` (1 to 256 bytes), kept by `node_id`.
    ///
    /// Args:
    ///     seed: 16 random bytes that key the index, so that peers cannot choose names that meet; no result depends on it.
    ///
    /// Raises:
    ///     CoreError: invalid_id, or invalid_argument for a scope out of bounds.
    #[new]
    #[pyo3(signature = (scope, node_id, *, seed))]
    fn new(py: Python<'_>, scope: &str, node_id: &str, seed: [u8; 16]) -> PyResult<Self> {
        let made = NodeId::parse(node_id).and_then(|node_id| Replica::new(scope, node_id, seed));
        mapped(py, made).map(|replica| Self { inner: Mutex::new(replica) })
    }

    /// Make a replica of a snapshot, whole or not at all; the GIL is released.
    ///
    /// Args:
    ///     keys: Public key (32 bytes) by nodeId; None trusts the bytes, which only a node's own may be.
    ///     now_ms: The receiver's time, milliseconds since the epoch; needed with keys.
    ///
    /// Raises:
    ///     CoreError: malformed_state, or the reason a flush in it is refused for.
    #[staticmethod]
    #[pyo3(signature = (scope, node_id, snapshot, *, seed, keys=None, now_ms=None))]
    fn restore(
        py: Python<'_>,
        scope: &str,
        node_id: &str,
        snapshot: &[u8],
        seed: [u8; 16],
        keys: Option<Keys<'_>>,
        now_ms: Option<u64>,
    ) -> PyResult<Self> {
        let believed = Believed::read(py, keys, now_ms)?;
        let made = py.detach(|| {
            let node_id = NodeId::parse(node_id)?;
            believed.with(|check| Replica::restore(scope, node_id, seed, snapshot, check))
        });
        mapped(py, made).map(|replica| Self { inner: Mutex::new(replica) })
    }

    /// Write, as one signed flush; return the delta that carries it, empty when nothing changes.
    ///
    /// Args:
    ///     writes: (verb, name, value): put and put_json take bytes, delete takes None, count an int, add and remove
    ///         an element as bytes, grant and spend an (issuer, amount), give an (issuer, to, amount) of a budget. At
    ///         most 4,096 operations and 384 KiB.
    ///     now_ms: The writer's time, milliseconds since the epoch.
    ///
    /// Raises:
    ///     CoreError: invalid_argument, too_large, malformed_json, over_budget, not_authorised; nothing is then written.
    #[pyo3(signature = (writes, *, now_ms, identity))]
    fn commit<'py>(
        &self,
        py: Python<'py>,
        writes: Vec<(String, String, Option<Bound<'py, PyAny>>)>,
        now_ms: u64,
        identity: &Identity,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let writes = self::writes(py, writes)?;
        let delta = py.detach(|| {
            let mut replica = self.lock();
            if !keeps(&replica, identity) {
                return Err(foreign());
            }
            replica.commit(&writes, now_ms, identity.inner.key())
        });
        mapped(py, delta).map(|delta| PyBytes::new(py, &delta))
    }

    /// Merge a delta; the GIL is released. A flush that fails its checks is left out and reported.
    ///
    /// Args:
    ///     keys: Public key (32 bytes) by nodeId; None trusts the bytes, which only a node's own may be.
    ///     now_ms: The receiver's time, milliseconds since the epoch; needed with keys.
    ///
    /// Raises:
    ///     CoreError: malformed_state or too_large; nothing is then merged.
    #[pyo3(signature = (delta, *, keys=None, now_ms=None))]
    fn merge(
        &self,
        py: Python<'_>,
        delta: PyBackedBytes,
        keys: Option<Keys<'_>>,
        now_ms: Option<u64>,
    ) -> PyResult<MergeReport> {
        let believed = Believed::read(py, keys, now_ms)?;
        let delta = Bytes::from_owner(delta);
        let report = py.detach(|| believed.with(|check| self.lock().merge_kept(&delta, check)));
        mapped(py, report).map(|inner| MergeReport { inner })
    }

    /// Return what somebody who has seen `have` lacks, as deltas of about `max_bytes` (one flush at least), at most
    /// `max_deltas` of them.
    ///
    /// Raises:
    ///     CoreError: state_reset when they were away longer than tombstones are kept and need a snapshot.
    #[pyo3(signature = (have, *, max_bytes=393_216, max_deltas=usize::MAX))]
    fn since<'py>(
        &self,
        py: Python<'py>,
        have: &VectorClock,
        max_bytes: usize,
        max_deltas: usize,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let deltas = py.detach(|| self.lock().since(&have.inner, max_bytes, max_deltas));
        Ok(mapped(py, deltas)?.iter().map(|delta| PyBytes::new(py, delta)).collect())
    }

    /// Return what this replica says of itself, packed: what it has seen, its floor, its state hash.
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let digest = py.detach(|| self.lock().digest().to_bytes());
        PyBytes::new(py, &digest)
    }

    /// Return how the replica that sent `digest` lies to this one.
    ///
    /// Raises:
    ///     CoreError: malformed_state.
    fn standing_of(&self, py: Python<'_>, digest: &[u8]) -> PyResult<StateStanding> {
        let standing = py.detach(|| {
            let digest = state::Digest::read(digest)?;
            Ok((self.lock().standing_of(&digest), digest.seen))
        });
        mapped(py, standing).map(|(inner, seen)| StateStanding { inner, seen })
    }

    /// Return the digests of the 256 ranges, 32 bytes each, to find where two replicas differ.
    fn ranges<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let ranges = py.detach(|| self.lock().buckets());
        PyBytes::new(py, ranges.as_flattened())
    }

    /// Return deltas of everything in the ranges that differ from `ranges` (256 times 32 bytes).
    ///
    /// Raises:
    ///     CoreError: malformed_state for another length.
    fn repair<'py>(&self, py: Python<'py>, ranges: &[u8]) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let deltas = py.detach(|| {
            let (theirs, rest) = ranges.as_chunks::<32>();
            if theirs.len() != BUCKETS || !rest.is_empty() {
                return Err(Refusal::new(Reason::MalformedState, "ranges: expected 256 digests of 32 bytes"));
            }
            self.lock().repair(theirs)
        });
        Ok(mapped(py, deltas)?.iter().map(|delta| PyBytes::new(py, delta)).collect())
    }

    /// Return what a delta is about, as ("register", "counter", "budget" or "set", name), sorted; nothing is merged.
    ///
    /// Raises:
    ///     CoreError: malformed_state or too_large.
    fn touched(&self, py: Python<'_>, delta: &[u8]) -> PyResult<Vec<(&'static str, String)>> {
        mapped(py, py.detach(|| self.lock().touched(delta)))
    }

    /// Drop the tombstones that every member has seen; return how many.
    ///
    /// Args:
    ///     members: What each other member last said it had seen, by nodeId. Who is left out must reset on return.
    ///
    /// Raises:
    ///     CoreError: invalid_id.
    fn collect(&self, py: Python<'_>, members: &Bound<'_, PyMapping>) -> PyResult<usize> {
        let mut acks = Vec::new();
        for item in members.items()?.iter() {
            let (node_id, seen): (String, PyRef<'_, VectorClock>) = item.extract()?;
            acks.push((mapped(py, NodeId::parse(&node_id))?, seen.inner.clone()));
        }
        let dropped = py.detach(|| self.lock().collect(&acks));
        mapped(py, dropped)
    }

    /// Return everything that stands, tombstones and proofs too, as one snapshot.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let snapshot = py.detach(|| self.lock().snapshot());
        mapped(py, snapshot).map(|snapshot| PyBytes::new(py, &snapshot))
    }

    /// Start anew from another's snapshot after being away too long, and write own unseen writes again on top of it;
    /// return the delta of those, empty without any.
    ///
    /// Raises:
    ///     CoreError: as `restore` and `commit`; nothing is then changed.
    #[pyo3(signature = (snapshot, *, now_ms, identity, keys=None))]
    fn reset<'py>(
        &self,
        py: Python<'py>,
        snapshot: &[u8],
        now_ms: u64,
        identity: &Identity,
        keys: Option<Keys<'py>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let believed = Believed::read(py, keys, Some(now_ms))?;
        let delta = py.detach(|| {
            let mut replica = self.lock();
            if !keeps(&replica, identity) {
                return Err(foreign());
            }
            believed.with(|check| replica.reset(snapshot, check, now_ms, identity.inner.key()))
        });
        mapped(py, delta).map(|delta| PyBytes::new(py, &delta))
    }

    /// Return a register as ("bytes" or "json", its bytes); None when it holds nothing.
    fn get<'py>(&self, py: Python<'py>, name: &str) -> Option<(&'static str, Bound<'py, PyBytes>)> {
        let replica = self.lock();
        replica.get(name).map(|value| match value {
            Value::Bytes(bytes) => ("bytes", PyBytes::new(py, bytes)),
            Value::Json(bytes) => ("json", PyBytes::new(py, bytes)),
        })
    }

    /// Return the names of the registers that hold something, sorted.
    fn names(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.lock().names().into_iter().map(str::to_owned).collect())
    }

    /// Return a counter: the sum of every author's share, 0 when nobody counted.
    fn counter(&self, name: &str) -> i128 {
        self.lock().counter(name)
    }

    /// Return the elements of a set, sorted.
    fn elements<'py>(&self, py: Python<'py>, name: &str) -> Vec<Bound<'py, PyBytes>> {
        let elements = py.detach(|| self.lock().elements(name));
        elements.iter().map(|element| PyBytes::new(py, element)).collect()
    }

    /// Return a budget: all granted, all spent, and by author what it may still spend or give; negative for an author
    /// that took more than it had, or whose rights are not known here yet.
    ///
    /// Raises:
    ///     CoreError: invalid_id.
    fn budget(&self, py: Python<'_>, name: &str, issuer: &str) -> PyResult<(u64, u128, BTreeMap<String, i128>)> {
        let budget = self.lock().budget(name, mapped(py, NodeId::parse(issuer))?);
        let rights = budget.rights.iter().map(|(author, rights)| (author.to_string(), *rights)).collect();
        Ok((budget.granted, budget.spent, rights))
    }

    /// Return what each author says of a budget: by author (granted, spent, given by author), which only grow.
    ///
    /// Raises:
    ///     CoreError: invalid_id.
    fn budget_rows(&self, py: Python<'_>, name: &str, issuer: &str) -> PyResult<BudgetRows> {
        let rows = self.lock().budget_rows(name, mapped(py, NodeId::parse(issuer))?);
        let plain = |row: Row| {
            let given = row.given.iter().map(|(to, amount)| (to.to_string(), *amount)).collect();
            (row.granted, row.spent, given)
        };
        Ok(rows.into_iter().map(|(author, row)| (author.to_string(), plain(row))).collect())
    }

    /// Return every budget as (name, issuer), sorted.
    fn budgets(&self, py: Python<'_>) -> Vec<(String, String)> {
        let found = py.detach(|| self.lock().budgets());
        found.into_iter().map(|(name, issuer)| (name, issuer.to_string())).collect()
    }

    /// Bytes of operations that are held, those about to be dropped among them.
    #[getter]
    fn size_bytes(&self) -> usize {
        self.lock().size_bytes()
    }

    /// How much of every author's sequence was seen.
    #[getter]
    fn seen(&self) -> VectorClock {
        VectorClock { inner: self.lock().seen().clone() }
    }

    /// How much was seen by every member, and no longer keeps its tombstones.
    #[getter]
    fn floor(&self) -> VectorClock {
        VectorClock { inner: self.lock().floor().clone() }
    }

    /// 32 bytes that are the same on every replica that holds the same.
    #[getter]
    fn state_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let hash = py.detach(|| self.lock().state_hash());
        PyBytes::new(py, &hash)
    }

    /// Slots that are remembered as deleted.
    #[getter]
    fn tombstones(&self) -> usize {
        self.lock().tombstones()
    }

    /// Slots that hold something: a register, an author's share of a counter, a tag of a set's element.
    fn __len__(&self) -> usize {
        self.lock().live()
    }

    fn __repr__(&self) -> String {
        let replica = self.lock();
        format!("StateMap({} of {}, {} slots)", replica.scope(), replica.node(), replica.live())
    }
}

/// What a merge did.
#[pyclass(frozen, module = "covey._core")]
pub struct MergeReport {
    inner: state::Report,
}

#[pymethods]
impl MergeReport {
    /// Operations that stand now and did not before.
    #[getter]
    fn applied(&self) -> usize {
        self.inner.applied
    }
    /// Operations that lost to what stood, or were collected since.
    #[getter]
    fn superseded(&self) -> usize {
        self.inner.superseded
    }
    /// Operations that stood already.
    #[getter]
    fn duplicates(&self) -> usize {
        self.inner.duplicates
    }
    /// Flushes that were not taken: (author's nodeId, first place in its sequence, reason, detail).
    #[getter]
    fn refused(&self) -> Vec<(String, u64, &'static str, String)> {
        let told = self.inner.refused.iter().map(|refused| {
            let refusal = &refused.refusal;
            (refused.author.to_string(), refused.first, refusal.reason.as_str(), refusal.detail.clone())
        });
        told.collect()
    }
    fn __repr__(&self) -> String {
        let report = &self.inner;
        format!(
            "MergeReport({} applied, {} superseded, {} duplicates, {} refused)",
            report.applied,
            report.superseded,
            report.duplicates,
            report.refused.len()
        )
    }
}

/// How another replica lies to this one.
#[pyclass(frozen, module = "covey._core")]
pub struct StateStanding {
    inner: state::Standing,
    seen: clock::VectorClock,
}

#[pymethods]
impl StateStanding {
    /// What the other has seen.
    #[getter]
    fn seen(&self) -> VectorClock {
        VectorClock { inner: self.seen.clone() }
    }
    /// Operations the other has seen and this one has not.
    #[getter]
    fn behind(&self) -> u64 {
        self.inner.behind
    }
    /// Operations this one has seen and the other has not.
    #[getter]
    fn ahead(&self) -> u64 {
        self.inner.ahead
    }
    /// Whether both have seen the same and hold something else.
    #[getter]
    fn diverged(&self) -> bool {
        self.inner.diverged
    }
    /// Whether this one was away too long and must reset from a snapshot.
    #[getter]
    fn reset(&self) -> bool {
        self.inner.reset
    }
    fn __repr__(&self) -> String {
        format!("StateStanding(behind {}, ahead {})", self.inner.behind, self.inner.ahead)
    }
}
