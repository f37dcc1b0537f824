//! Python's handle to the records one session heard, on their way to intake.

use std::sync::{Mutex, PoisonError};

use covey_core::compact;
use covey_core::error::{Reason, Refusal};
use covey_core::record::{Batch, Hearsay};
use pyo3::prelude::*;

use crate::errors::mapped;
use crate::record::Claim;

/// What one session heard, by the wire it heard it on.
pub enum Heard {
    /// Records that a signature can prove.
    Records(Batch),
    /// Records that nobody here can prove.
    Hearsay(Vec<Hearsay>),
}

/// Records in the order one session heard them. Python carries them to `Intake.evaluate`, which takes them out.
#[pyclass(frozen, module = "covey._core")]
pub struct RecordBatch {
    /// `None` once they have been judged. Nothing that holds the lock can panic, so a poisoned one is as good as any.
    records: Mutex<Option<Heard>>,
    size: usize,
    bytes: usize,
}

impl RecordBatch {
    /// Wrap what a session heard.
    pub fn wrap(batch: Batch) -> Self {
        let bytes = batch.0.iter().map(|record| compact::size(record.claimed())).sum();
        Self { size: batch.0.len(), bytes, records: Mutex::new(Some(Heard::Records(batch))) }
    }

    /// Wrap what a connection of the legacy wire heard.
    pub fn hearsay(heard: Vec<Hearsay>) -> Self {
        Self { size: heard.len(), bytes: 0, records: Mutex::new(Some(Heard::Hearsay(heard))) }
    }

    /// Take the records out; they are judged once.
    pub fn take(&self) -> Result<Heard, Refusal> {
        let taken = self.records.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| Refusal::new(Reason::InvalidArgument, "batch: its records were judged already"))
    }
}

#[pymethods]
impl RecordBatch {
    /// Gather claims, or records that are to be verified again, as a session would.
    #[new]
    fn new(records: Vec<Claim<'_>>) -> Self {
        Self::wrap(Batch(records.iter().map(Claim::claim).collect()))
    }
    fn __len__(&self) -> usize {
        self.size
    }
    /// Bytes of its records, as credit counts them; 0 for those of the legacy wire, which knows no credit.
    #[getter]
    const fn size_bytes(&self) -> usize {
        self.bytes
    }
    /// Cut it in two: the first `count` records, and the others. Its own records are gone.
    fn split(&self, py: Python<'_>, count: usize) -> PyResult<(Self, Self)> {
        Ok(match mapped(py, self.take())? {
            Heard::Records(Batch(mut first)) => {
                let rest = first.split_off(count.min(first.len()));
                (Self::wrap(Batch(first)), Self::wrap(Batch(rest)))
            }
            Heard::Hearsay(mut first) => {
                let rest = first.split_off(count.min(first.len()));
                (Self::hearsay(first), Self::hearsay(rest))
            }
        })
    }
    fn __repr__(&self) -> String {
        format!("RecordBatch({} records)", self.size)
    }
}
