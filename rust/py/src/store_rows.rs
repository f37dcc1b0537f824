//! What the store returns, as frozen values for Python.

use covey_core::category::Category;
use covey_core::svaf::Decision;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::svaf::{Basis, Evaluation};

/// One record as memory holds it, or as the inbox does when memory did not take it.
#[pyclass(frozen, module = "covey._core")]
pub struct StoredRecord {
    inner: covey_store::StoredRecord,
}

impl StoredRecord {
    /// Wrap a row.
    pub fn wrap(inner: covey_store::StoredRecord) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl StoredRecord {
    #[getter]
    fn key(&self) -> String {
        self.inner.key.to_string()
    }
    #[getter]
    fn assertion_id(&self) -> String {
        self.inner.assertion_id.to_string()
    }
    /// The author's node.
    #[getter]
    fn node_id(&self) -> String {
        self.inner.node_id.to_string()
    }
    /// The author's label.
    #[getter]
    fn author(&self) -> &str {
        &self.inner.author
    }
    #[getter]
    fn created_ms(&self) -> u64 {
        self.inner.created_ms
    }
    #[getter]
    fn stored_ms(&self) -> u64 {
        self.inner.stored_ms
    }
    #[getter]
    fn room(&self) -> &str {
        &self.inner.room
    }
    #[getter]
    fn to(&self) -> Option<String> {
        self.inner.to.map(|to| to.to_string())
    }
    #[getter]
    fn parents<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.parents.iter().map(ToString::to_string))
    }
    /// The seven texts by name, in CAT7 order.
    #[getter]
    fn categories<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let texts = PyDict::new(py);
        for category in Category::ALL {
            texts.set_item(category.name(), &self.inner.categories[category.index()])?;
        }
        Ok(texts)
    }
    /// observed, remixed, validated, canonical, dismissed or archived.
    #[getter]
    fn lifecycle(&self) -> &'static str {
        self.inner.lifecycle.as_str()
    }
    /// What admission said: aligned or guarded; None for own records.
    #[getter]
    fn decision(&self) -> Option<&'static str> {
        self.inner.decision.map(Decision::as_str)
    }
    #[getter]
    fn own(&self) -> bool {
        self.inner.own
    }
    /// What stands behind it: signature, or legacy for what a peer of the legacy wire said.
    #[getter]
    fn proof(&self) -> &'static str {
        self.inner.proof.as_str()
    }
    fn __repr__(&self) -> String {
        format!("StoredRecord({}, by {})", self.inner.key, self.inner.author)
    }
}

/// What a recall found.
#[pyclass(frozen, module = "covey._core")]
pub struct RecallResult {
    inner: covey_store::RecallResult,
}

impl RecallResult {
    /// Wrap a result.
    pub fn wrap(inner: covey_store::RecallResult) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl RecallResult {
    /// Best first; newest first when capped, or when the query has no word.
    #[getter]
    fn hits(&self) -> Vec<StoredRecord> {
        self.inner.hits.iter().cloned().map(StoredRecord::wrap).collect()
    }
    /// More records matched than are ranked; the newest are given.
    #[getter]
    fn capped(&self) -> bool {
        self.inner.capped
    }
    /// Stored records that the index did not hold yet.
    #[getter]
    fn lag(&self) -> u64 {
        self.inner.lag
    }
    fn __repr__(&self) -> String {
        format!("RecallResult({} hits, capped {})", self.inner.hits.len(), self.inner.capped)
    }
}

/// What a commit did. Positions are (batch, outcome), counted from 0.
#[pyclass(frozen, module = "covey._core")]
pub struct CommitReport {
    inner: covey_store::CommitReport,
}

impl CommitReport {
    /// Wrap a report.
    pub fn wrap(inner: covey_store::CommitReport) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl CommitReport {
    /// Records that memory took.
    #[getter]
    fn stored(&self) -> usize {
        self.inner.stored
    }
    /// Decisions written down, refusals included.
    #[getter]
    fn decisions(&self) -> usize {
        self.inner.decisions
    }
    /// (batch, outcome, sequence number) of each outcome that is now in the inbox.
    #[getter]
    fn inbox(&self) -> Vec<(usize, usize, i64)> {
        self.inner.inbox.clone()
    }
    /// (batch, outcome) of what was held from before the intake remembers: not stored, not delivered again.
    #[getter]
    fn held(&self) -> Vec<(usize, usize)> {
        self.inner.held.clone()
    }
    fn __repr__(&self) -> String {
        format!("CommitReport({} stored, {} decisions)", self.inner.stored, self.inner.decisions)
    }
}

/// One block for the application.
#[pyclass(frozen, module = "covey._core")]
pub struct InboxRow {
    inner: covey_store::InboxRow,
}

impl InboxRow {
    /// Wrap a row.
    pub fn wrap(inner: covey_store::InboxRow) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl InboxRow {
    /// Its place; also the cursor that acknowledges it and everything before.
    #[getter]
    fn seq(&self) -> i64 {
        self.inner.seq
    }
    #[getter]
    fn record(&self) -> StoredRecord {
        StoredRecord::wrap(self.inner.record.clone())
    }
    /// The peer whose session carried it.
    #[getter(from_node_id)]
    fn carrier(&self) -> String {
        self.inner.from_node_id.to_string()
    }
    #[getter]
    fn received_ms(&self) -> u64 {
        self.inner.received_ms
    }
    /// Memory took it.
    #[getter]
    fn ingested(&self) -> bool {
        self.inner.ingested
    }
    /// It was addressed to this peer.
    #[getter]
    fn directed(&self) -> bool {
        self.inner.directed
    }
    /// Its author may wake an agent here.
    #[getter]
    fn wakes(&self) -> bool {
        self.inner.wakes
    }
    /// Its place among all that its sender addressed to this peer; None where the sender did not say.
    #[getter]
    fn number(&self) -> Option<u64> {
        self.inner.number
    }
    /// After this it should not be acted on any more; None where the sender did not say.
    #[getter]
    fn expires_ms(&self) -> Option<u64> {
        self.inner.expires_ms
    }
    /// How the application ended it: executed, unexecuted or expired; None while it has not.
    #[getter]
    fn finished(&self) -> Option<&str> {
        self.inner.finished.as_deref()
    }
    /// What admission said, while the decision is kept.
    #[getter]
    fn evaluation(&self) -> Option<Evaluation> {
        self.inner.judgement.as_ref().map(evaluation)
    }
    fn __repr__(&self) -> String {
        format!("InboxRow({}, {})", self.inner.seq, self.inner.record.key)
    }
}

/// One own record on its way to one peer.
#[pyclass(frozen, module = "covey._core")]
pub struct OutboxRow {
    inner: covey_store::OutboxRow,
}

impl OutboxRow {
    /// Wrap a row.
    pub fn wrap(inner: covey_store::OutboxRow) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl OutboxRow {
    #[getter]
    fn assertion_id(&self) -> String {
        self.inner.assertion_id.to_string()
    }
    #[getter]
    fn key(&self) -> String {
        self.inner.key.to_string()
    }
    /// The recipient.
    #[getter]
    fn node_id(&self) -> String {
        self.inner.node_id.to_string()
    }
    /// Its place among all that was addressed to this recipient, from 1.
    #[getter]
    fn number(&self) -> u64 {
        self.inner.number
    }
    #[getter]
    fn queued_ms(&self) -> u64 {
        self.inner.queued_ms
    }
    /// After this it is not sent any more.
    #[getter]
    fn deadline_ms(&self) -> u64 {
        self.inner.deadline_ms
    }
    /// The record's canonical JSON; verify it before it is sent.
    #[getter]
    fn json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.json)
    }
    fn __repr__(&self) -> String {
        format!("OutboxRow({} to {})", self.inner.key, self.inner.node_id)
    }
}

/// One decision or refusal. Key, assertion and author of a refused block are only what it claimed.
#[pyclass(frozen, module = "covey._core")]
pub struct DecisionRow {
    inner: covey_store::DecisionRow,
}

impl DecisionRow {
    /// Wrap a row.
    pub fn wrap(inner: covey_store::DecisionRow) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl DecisionRow {
    #[getter]
    fn at_ms(&self) -> u64 {
        self.inner.at_ms
    }
    #[getter]
    fn key(&self) -> String {
        self.inner.key.to_string()
    }
    #[getter]
    fn assertion_id(&self) -> String {
        self.inner.assertion_id.to_string()
    }
    /// The author's node.
    #[getter]
    fn node_id(&self) -> String {
        self.inner.author_node_id.to_string()
    }
    /// The peer whose session carried it.
    #[getter(from_node_id)]
    fn carrier(&self) -> String {
        self.inner.from_node_id.to_string()
    }
    /// admitted, redundant, rejected or refused.
    #[getter]
    fn kind(&self) -> &str {
        &self.inner.kind
    }
    /// Why it was refused, a stable word; None when it was judged.
    #[getter]
    fn reason(&self) -> Option<&str> {
        self.inner.refusal.as_ref().map(|(reason, _)| reason.as_str())
    }
    /// Why it was refused, for a person; None when it was judged.
    #[getter]
    fn detail(&self) -> Option<&str> {
        self.inner.refusal.as_ref().map(|(_, detail)| detail.as_str())
    }
    /// The drifts and per-category verdicts; None when it was refused.
    #[getter]
    fn evaluation(&self) -> Option<Evaluation> {
        self.inner.judgement.as_ref().map(evaluation)
    }
    /// What that rests on; None when it was refused, or decided by an older covey.
    #[getter]
    fn basis(&self) -> Option<Basis> {
        self.inner.basis.as_ref().map(Basis::wrap)
    }
    fn __repr__(&self) -> String {
        format!("DecisionRow({}, {})", self.inner.key, self.inner.kind)
    }
}

fn evaluation(judgement: &covey_store::Judgement) -> Evaluation {
    Evaluation::wrap(&judgement.evaluation, &judgement.gate)
}
