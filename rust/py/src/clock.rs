//! Python's view of vector clocks: frozen values.

use covey_core::clock;
use covey_core::id::NodeId;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};

use crate::errors::mapped;

/// How much a state has seen of every node: a frozen value, equal and hashable by its counts.
#[pyclass(frozen, eq, hash, module = "covey._core")]
#[derive(PartialEq, Eq, Hash)]
pub struct VectorClock {
    pub inner: clock::VectorClock,
}

#[pymethods]
impl VectorClock {
    /// A clock of the given counts by nodeId; without any, the clock that has seen nothing.
    ///
    /// Raises:
    ///     CoreError: invalid_id, or too_large beyond 1,024 nodes or a count of 2^53 - 1.
    #[new]
    #[pyo3(signature = (entries=None))]
    fn new(py: Python<'_>, entries: Option<&Bound<'_, PyMapping>>) -> PyResult<Self> {
        let mut counts = Vec::new();
        if let Some(entries) = entries {
            for item in entries.items()?.iter() {
                let (node_id, count): (String, u64) = item.extract()?;
                counts.push((mapped(py, NodeId::parse(&node_id))?, count));
            }
        }
        mapped(py, clock::VectorClock::from_entries(counts)).map(|inner| Self { inner })
    }
    /// The counts by nodeId, in the order of nodeIds; none is 0.
    #[getter]
    fn entries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let entries = PyDict::new(py);
        for (node_id, count) in self.inner.entries() {
            entries.set_item(node_id.to_string(), count)?;
        }
        Ok(entries)
    }
    /// Return how many events of a node this clock has seen.
    fn count(&self, py: Python<'_>, node_id: &str) -> PyResult<u64> {
        Ok(self.inner.count(mapped(py, NodeId::parse(node_id))?))
    }
    /// Return this clock after one more event of a node.
    fn tick(&self, py: Python<'_>, node_id: &str) -> PyResult<Self> {
        let ticked = NodeId::parse(node_id).and_then(|node_id| self.inner.ticked(node_id));
        mapped(py, ticked).map(|inner| Self { inner })
    }
    /// Return what both clocks have seen together. Commutative, associative, idempotent.
    fn merge(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        mapped(py, self.inner.merged(&other.inner)).map(|inner| Self { inner })
    }
    /// Return how this clock lies to the other: equal, before, after or concurrent.
    fn compare(&self, other: &Self) -> &'static str {
        self.inner.compare(&other.inner).as_str()
    }
    /// Return whether this clock has seen all the other has.
    fn dominates(&self, other: &Self) -> bool {
        self.inner.dominates(&other.inner)
    }
    /// Return whether each has seen something the other has not.
    fn concurrent(&self, other: &Self) -> bool {
        self.inner.concurrent(&other.inner)
    }
    fn __len__(&self) -> usize {
        self.inner.entries().len()
    }
    fn __repr__(&self) -> String {
        let entries: Vec<String> =
            self.inner.entries().iter().map(|(node_id, count)| format!("{node_id}: {count}")).collect();
        format!("VectorClock({{{}}})", entries.join(", "))
    }
}
