//! Own blocks by the batch: read from lines, signed, stored and handed on without a Python value for each.

use std::sync::Arc;

use covey_core::compact;
use covey_core::record::lines::{self, Said};
use covey_core::record::{Draft, Verified};
use covey_engine::Engine;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use crate::errors::mapped;
use crate::identity::Identity;
use crate::intake::Intake;
use crate::outlet::Outlet;
use crate::record::Record;

/// (number of the line, reason, detail).
type Refused = (usize, &'static str, String);

/// Signed own blocks in the order they were said, none of them addressed to one peer.
#[pyclass(frozen, module = "covey._core")]
pub struct OwnBatch {
    records: Vec<Arc<Verified>>,
    /// The line of each, from 1.
    lines: Vec<usize>,
    refused: Vec<Refused>,
}

impl OwnBatch {
    /// The records.
    pub fn records(&self) -> &[Arc<Verified>] {
        &self.records
    }
}

#[pymethods]
impl OwnBatch {
    /// Draft and sign what lines say, each one JSON object of category texts, on several cores; the GIL is released.
    ///
    /// Args:
    ///     lines: At most 1,024 lines of 4 MiB together, in UTF-8; empty ones are passed over.
    ///     created_ms: The signed time of all of them.
    ///
    /// Raises:
    ///     CoreError: too_large; nothing was signed. What is wrong with one line refuses that line alone (`refused`).
    #[staticmethod]
    #[pyo3(signature = (lines, identity, *, room, created_ms))]
    fn sign(py: Python<'_>, lines: &[u8], identity: &Identity, room: &str, created_ms: u64) -> PyResult<Self> {
        let said = Said { author: identity.inner.node_id(), label: identity.inner.name(), created_ms, room };
        let made = py.detach(|| {
            let read = lines::read(lines, said)?;
            let (mut numbers, mut drafts, mut refused) = (Vec::new(), Vec::<Draft>::new(), Vec::new());
            for (number, draft) in read {
                match draft {
                    Ok(draft) => {
                        numbers.push(number);
                        drafts.push(draft);
                    }
                    Err(refusal) => refused.push((number, refusal.reason.as_str(), refusal.detail)),
                }
            }
            let (mut records, mut lines) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
            for (number, signed) in numbers.into_iter().zip(Engine::of_machine().sign(drafts, identity.inner.key())) {
                match signed {
                    Ok(record) => {
                        records.push(Arc::new(record));
                        lines.push(number);
                    }
                    Err(refusal) => refused.push((number, refusal.reason.as_str(), refusal.detail)),
                }
            }
            refused.sort_unstable_by_key(|(number, ..)| *number);
            Ok(Self { records, lines, refused })
        });
        mapped(py, made)
    }

    fn __len__(&self) -> usize {
        self.records.len()
    }

    fn __getitem__(&self, index: usize) -> PyResult<Record> {
        let found = self.records.get(index).map(|record| Record { inner: Arc::clone(record) });
        found.ok_or_else(|| PyIndexError::new_err(format!("block {index} of {}", self.records.len())))
    }

    /// What was not signed, as (number of the line from 1, reason, detail).
    #[getter]
    fn refused(&self) -> Vec<Refused> {
        self.refused.clone()
    }

    /// The lines of the blocks in these places.
    fn lines(&self, places: Vec<usize>) -> Vec<usize> {
        places.iter().filter_map(|place| self.lines.get(*place).copied()).collect()
    }

    /// Return the batch without the blocks in these places.
    fn without(&self, places: Vec<usize>) -> Self {
        let kept = |place: &usize| !places.contains(place);
        let places: Vec<usize> = (0..self.records.len()).filter(kept).collect();
        Self {
            records: places.iter().map(|place| Arc::clone(&self.records[*place])).collect(),
            lines: places.iter().map(|place| self.lines[*place]).collect(),
            refused: self.refused.clone(),
        }
    }

    /// Take all of them in as `Intake.admit_own` takes one; they are stored.
    fn admit(&self, py: Python<'_>, intake: &Intake, now_ms: u64) {
        py.detach(|| {
            let mut intake = intake.lock();
            for record in &self.records {
                intake.admit_own(record, now_ms);
            }
        });
    }

    /// Let as many of them wait in an outlet, in order, as keep it within so many records and bytes; return how many.
    fn offer(&self, py: Python<'_>, outlet: &Outlet, most_records: usize, most_bytes: usize) -> usize {
        py.detach(|| {
            let mut outlet = outlet.lock();
            let mut fits = |record: &Arc<Verified>| {
                let room = outlet.len() < most_records && outlet.bytes() < most_bytes;
                if room {
                    outlet.offer(Arc::clone(record));
                }
                room
            };
            self.records.iter().take_while(|record| fits(record)).count()
        })
    }

    /// Bytes of all of them, as credit counts them.
    #[getter]
    fn size_bytes(&self) -> usize {
        self.records.iter().map(|record| compact::size(record.record())).sum()
    }

    fn __repr__(&self) -> String {
        format!("OwnBatch({} signed, {} refused)", self.records.len(), self.refused.len())
    }
}

/// Put this room's class into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<OwnBatch>()
}
