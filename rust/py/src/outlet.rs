//! Python's view of an outlet: records in, whole frames of receipts in, counts out; a value each only where asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use covey_core::compact;
use covey_core::id::AssertionId;
use covey_core::outlet::{self, Allowance};
use pyo3::prelude::*;

use crate::errors::mapped;
use crate::record::Record;
use crate::session::Session;

/// (assertion id, outcome, reason).
type Receipt = (String, &'static str, Option<String>);
/// (content key, assertion id, outcome, reason).
type Ended = (String, String, &'static str, Option<String>);

fn plain(receipt: outlet::Receipt) -> Receipt {
    (receipt.assertion_id.to_string(), receipt.told.as_str(), receipt.reason)
}

/// Read an `x-covey-delivery` frame: (assertion id, outcome, reason or None) for each result.
///
/// Raises:
///     CoreError: malformed_control; nothing of the frame counts then.
#[pyfunction]
pub fn read_receipts(py: Python<'_>, frame: &[u8]) -> PyResult<Vec<Receipt>> {
    let read = mapped(py, py.detach(|| outlet::read_receipts(frame)))?;
    Ok(read.into_iter().map(plain).collect())
}

/// Open records on their way to one peer: what waits, and what was handed to a session and has no receipt.
#[pyclass(frozen, module = "covey._core")]
pub struct Outlet {
    inner: Mutex<outlet::Outlet>,
}

fn allowance(allowed: Option<(usize, usize)>) -> Allowance {
    allowed.map_or(Allowance::ALL, |(records, bytes)| Allowance { records, bytes })
}

fn size(records: &[Arc<covey_core::record::Verified>]) -> usize {
    records.iter().map(|record| compact::size(record.record())).sum()
}

impl Outlet {
    /// Use the native outlet; never while holding the GIL for long, never touching Python.
    pub fn lock(&self) -> MutexGuard<'_, outlet::Outlet> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Outlet {
    /// Make one in which nothing waits.
    #[new]
    fn new() -> Self {
        Self { inner: Mutex::new(outlet::Outlet::default()) }
    }
    fn __len__(&self) -> usize {
        self.lock().len()
    }
    /// How many wait to be handed over.
    #[getter]
    fn waiting(&self) -> usize {
        self.lock().waiting()
    }
    /// Let a record wait.
    fn offer(&self, record: &Record) {
        self.lock().offer(Arc::clone(&record.inner));
    }
    /// Say whether the record of this assertion waits to be handed over.
    fn waits(&self, py: Python<'_>, assertion_id: &str) -> PyResult<bool> {
        let assertion_id = mapped(py, AssertionId::parse(assertion_id))?;
        Ok(self.lock().waits(assertion_id))
    }
    /// Bytes of everything on its way, as credit counts them.
    #[getter]
    fn size_bytes(&self) -> usize {
        self.lock().bytes()
    }
    /// Hand over what waits, in order, as far as `allowed` (records, bytes) goes; return it, and its bytes.
    ///
    /// `kept` says whether `link` will bring receipts for it.
    #[pyo3(signature = (link, kept, allowed=None))]
    fn take(&self, link: u64, kept: bool, allowed: Option<(usize, usize)>) -> (Vec<Record>, usize) {
        let taken = self.lock().take(link, kept, allowance(allowed));
        let bytes = size(&taken);
        (taken.into_iter().map(|inner| Record { inner }).collect(), bytes)
    }
    /// Seal what waits for a session, as far as `allowed` (records, bytes) goes; return how many, and their bytes.
    ///
    /// As `take` and `send_records`, without a value for each record.
    #[pyo3(signature = (session, link, kept, allowed=None))]
    fn seal(
        &self,
        py: Python<'_>,
        session: &Session,
        link: u64,
        kept: bool,
        allowed: Option<(usize, usize)>,
    ) -> PyResult<(usize, usize)> {
        let taken = py.detach(|| self.lock().take(link, kept, allowance(allowed)));
        Ok((session.seal(py, &taken)?, size(&taken)))
    }
    /// Let what a link took, and no receipt named, wait again before everything else.
    fn ended(&self, link: u64) {
        self.lock().ended(link);
    }
    /// Take everything out: what was handed over, then what waits, as (content key, assertion id).
    fn drain(&self) -> Vec<(String, String)> {
        let ids = |record: &covey_core::record::Verified| {
            let metadata = &record.record().metadata;
            (metadata.key.to_string(), metadata.assertion_id.to_string())
        };
        self.lock().drain().iter().map(|record| ids(record)).collect()
    }
    /// Take an `x-covey-delivery` frame; return what it made of this.
    ///
    /// Raises:
    ///     CoreError: malformed_control; nothing was changed.
    fn settle(&self, py: Python<'_>, frame: &[u8]) -> PyResult<Settled> {
        let settled = py.detach(|| outlet::read_receipts(frame).map(|receipts| self.lock().settle(receipts)));
        mapped(py, settled).map(|inner| Settled { inner })
    }
    fn __repr__(&self) -> String {
        format!("Outlet({} on their way)", self.lock().len())
    }
}

/// What the receipts of one frame made of an outlet.
#[pyclass(frozen, module = "covey._core")]
pub struct Settled {
    inner: outlet::Settled,
}

#[pymethods]
impl Settled {
    /// How many records met their end.
    fn __len__(&self) -> usize {
        self.inner.ended.len()
    }
    /// How many of them by each outcome.
    #[getter]
    fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (_, receipt) in &self.inner.ended {
            *counts.entry(receipt.told.as_str()).or_insert(0) += 1;
        }
        counts
    }
    /// Each of them, as (content key, assertion id, outcome, reason or None).
    #[getter]
    fn ended(&self) -> Vec<Ended> {
        let one = |(record, receipt): &(Arc<covey_core::record::Verified>, outlet::Receipt)| {
            let (assertion_id, told, reason) = plain(receipt.clone());
            (record.record().metadata.key.to_string(), assertion_id, told, reason)
        };
        self.inner.ended.iter().map(one).collect()
    }
    /// The receipts about nothing that was handed over here, as (assertion id, outcome, reason or None).
    #[getter]
    fn others(&self) -> Vec<Receipt> {
        self.inner.others.iter().cloned().map(plain).collect()
    }
    fn __repr__(&self) -> String {
        format!("Settled({} ended, {} others)", self.inner.ended.len(), self.inner.others.len())
    }
}
