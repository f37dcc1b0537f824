//! What the store knows of sends and of what was addressed to this peer, as frozen values for Python.

use covey_core::Refusal;
use covey_core::id::{AssertionId, ContentKey, NodeId};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::mapped;
use crate::store::{Store, detached};
use crate::store_rows::{InboxRow, OutboxRow};

/// (assertion id, state, reason, nothing more is awaited).
type Said = (String, String, Option<String>, bool);
/// (assertion id, executed or unexecuted or expired or None, why).
type Ending = (String, Option<String>, Option<String>);

/// A message that waits for its agent: its author, the record as JSON, when it expires.
type Waiting = (String, Py<PyBytes>, Option<u64>);

/// What a store knows of sends and of what was addressed to this peer: `Store.mail`.
#[pyclass(frozen, module = "covey._core")]
pub struct StoreMail {
    /// Whose mail it is.
    pub store: Py<Store>,
}

#[pymethods]
impl StoreMail {
    /// Return what one peer is to be sent behind the number `after`, at most `limit` records, and what it is to be asked.
    fn outbox_page(&self, py: Python<'_>, node_id: &str, after: u64, limit: usize) -> PyResult<OutboxPage> {
        detached(py, || Ok(self.store.get().inner.outbox_page(NodeId::parse(node_id)?, after, limit)?))
            .map(OutboxPage::wrap)
    }

    /// Take what a peer says of records that were addressed to it; return what that changed.
    ///
    /// Args:
    ///     node_id: The peer.
    ///     said: (assertion id, state, reason, nothing more is awaited), at most 4,096.
    ///     now_ms: When it said so.
    fn settle(&self, py: Python<'_>, node_id: &str, said: Vec<Said>, now_ms: u64) -> PyResult<Vec<SendRow>> {
        let changed = detached(py, || {
            let parsed = |(id, state, reason, closed): Said| {
                Ok(covey_store::Said { assertion_id: AssertionId::parse(&id)?, state, reason, closed })
            };
            let said = said.into_iter().map(parsed).collect::<Result<Vec<_>, Refusal>>()?;
            Ok(self.store.get().inner.settle(NodeId::parse(node_id)?, &said, now_ms)?)
        })?;
        Ok(changed.into_iter().map(SendRow::wrap).collect())
    }

    /// End what waited past its time; return those sends, and when the next one is due, or None.
    fn expire(&self, py: Python<'_>, now_ms: u64) -> PyResult<(Vec<SendRow>, Option<u64>)> {
        let (expired, next) = detached(py, || Ok(self.store.get().inner.expire(now_ms)?))?;
        Ok((expired.into_iter().map(SendRow::wrap).collect(), next))
    }

    /// Return what was addressed to somebody and has not met its end, oldest first; or all that is known of one assertion.
    #[pyo3(signature = (limit, *, assertion_id=None))]
    fn sends(&self, py: Python<'_>, limit: usize, assertion_id: Option<&str>) -> PyResult<Vec<SendRow>> {
        let rows = detached(py, || {
            let assertion = assertion_id.map(AssertionId::parse).transpose()?;
            Ok(self.store.get().inner.sends(limit, assertion)?)
        })?;
        Ok(rows.into_iter().map(SendRow::wrap).collect())
    }

    /// Return (stream, cursor, numbers beyond it): how far one sender's numbers were taken; None when it never sent any.
    fn stream_in(&self, py: Python<'_>, node_id: &str, limit: usize) -> PyResult<Option<(String, u64, Vec<u64>)>> {
        let held = detached(py, || Ok(self.store.get().inner.stream_in(NodeId::parse(node_id)?, limit)?))?;
        Ok(held.map(|held| (held.stream, held.cursor, held.beyond)))
    }

    /// Remember how far one sender's numbers were taken.
    fn put_stream_in(&self, py: Python<'_>, node_id: &str, stream: &str, cursor: u64) -> PyResult<()> {
        detached(py, || Ok(self.store.get().inner.put_stream_in(NodeId::parse(node_id)?, stream, cursor)?))
    }

    /// Remember that numbers `first` to `last` of one sender were not delivered in their place; `late` ones may still come.
    #[pyo3(signature = (node_id, stream, first, last, *, late, reason, now_ms))]
    #[allow(clippy::too_many_arguments)] // one row, each column by keyword
    fn put_gap(
        &self,
        py: Python<'_>,
        node_id: &str,
        stream: String,
        first: u64,
        last: u64,
        late: bool,
        reason: String,
        now_ms: u64,
    ) -> PyResult<()> {
        detached(py, || {
            let node_id = NodeId::parse(node_id)?;
            let gap = covey_store::GapRow { node_id, stream, first, last, late, reason, at_ms: now_ms, after_seq: 0 };
            Ok(self.store.get().inner.put_gap(&gap)?)
        })
    }

    /// Return the gaps found behind one inbox row and up to another, oldest first.
    fn gaps(&self, py: Python<'_>, after_seq: i64, upto_seq: i64, limit: usize) -> PyResult<Vec<GapRow>> {
        let rows = detached(py, || Ok(self.store.get().inner.gaps(after_seq, upto_seq, limit)?))?;
        Ok(rows.into_iter().map(GapRow::wrap).collect())
    }

    /// Write down how the application ended a block addressed to this peer: executed, unexecuted or expired.
    ///
    /// Returns:
    ///     The peer it came from; None where it is not in the inbox, or met its end before.
    #[pyo3(signature = (assertion_id, how, why=None))]
    fn finish(&self, py: Python<'_>, assertion_id: &str, how: &str, why: Option<&str>) -> PyResult<Option<String>> {
        let carrier =
            detached(py, || Ok(self.store.get().inner.finish(AssertionId::parse(assertion_id)?, how, why)?))?;
        Ok(carrier.map(|node_id| node_id.to_string()))
    }

    /// Return (assertion id, how it ended or None, why) for those of these blocks that came from this peer.
    fn endings(&self, py: Python<'_>, node_id: &str, assertion_ids: Vec<String>) -> PyResult<Vec<Ending>> {
        let found = detached(py, || {
            let ids = assertion_ids.iter().map(|id| AssertionId::parse(id)).collect::<Result<Vec<_>, Refusal>>()?;
            Ok(self.store.get().inner.endings(NodeId::parse(node_id)?, &ids)?)
        })?;
        Ok(found.into_iter().map(|(id, how, why)| (id.to_string(), how, why)).collect())
    }

    /// Return inbox rows, received from `since_ms` on, that an agent may still have to act on; the newest, oldest first.
    fn unfinished(&self, py: Python<'_>, since_ms: u64, limit: usize) -> PyResult<Vec<InboxRow>> {
        let rows = detached(py, || Ok(self.store.get().inner.unfinished(since_ms, limit)?))?;
        Ok(rows.into_iter().map(InboxRow::wrap).collect())
    }

    /// Return messages between agents that no agent has come to, oldest first: (author, the record as JSON, when it
    /// expires or None). Verify a record before it is believed.
    fn messages(&self, py: Python<'_>, limit: usize) -> PyResult<Vec<Waiting>> {
        let rows = detached(py, || Ok(self.store.get().inner.messages(limit)?))?;
        let bytes = |json: String| PyBytes::new(py, json.as_bytes()).unbind();
        Ok(rows.into_iter().map(|row| (row.node_id.to_string(), bytes(row.json), row.expires_ms)).collect())
    }

    fn __repr__(&self) -> String {
        format!("StoreMail({})", self.store.get().inner.path().display())
    }
}

/// What a commit is told about the blocks of one batch, beyond what they say of themselves.
#[pyclass(frozen, module = "covey._core")]
pub struct Attention {
    /// What the store takes.
    pub inner: covey_store::Attention,
}

#[pymethods]
impl Attention {
    /// Gather it.
    ///
    /// Args:
    ///     wakers: nodeIds of authors whose blocks may wake an agent.
    ///     context: Keys that wake nobody.
    ///     stream: The stream that the numbers belong to.
    ///     numbers: (assertion id, number, when it expires in milliseconds since the epoch or None).
    ///
    /// Raises:
    ///     CoreError: invalid_id.
    #[new]
    #[pyo3(signature = (wakers, *, context=Vec::new(), stream=String::new(), numbers=Vec::new()))]
    fn new(
        py: Python<'_>,
        wakers: Vec<String>,
        context: Vec<String>,
        stream: String,
        numbers: Vec<(String, u64, Option<u64>)>,
    ) -> PyResult<Self> {
        let gathered = || -> Result<covey_store::Attention, Refusal> {
            Ok(covey_store::Attention {
                wakers: wakers.iter().map(|id| NodeId::parse(id)).collect::<Result<_, _>>()?,
                context: context.iter().map(|key| ContentKey::parse(key)).collect::<Result<_, _>>()?,
                stream,
                numbers: numbers
                    .iter()
                    .map(|(id, number, expires)| Ok((AssertionId::parse(id)?, (*number, *expires))))
                    .collect::<Result<_, Refusal>>()?,
            })
        };
        mapped(py, gathered()).map(|inner| Self { inner })
    }
    fn __repr__(&self) -> String {
        format!("Attention({} wakers, {} numbers)", self.inner.wakers.len(), self.inner.numbers.len())
    }
}

/// One own record at one peer, and what is known of it.
#[pyclass(frozen, module = "covey._core")]
pub struct SendRow {
    inner: covey_store::SendRow,
}

impl SendRow {
    /// Wrap a row.
    pub fn wrap(inner: covey_store::SendRow) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl SendRow {
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
    /// The last that is known: unknown, accepted, delivered, executed, refused or expired.
    #[getter]
    fn state(&self) -> &str {
        &self.inner.state
    }
    /// Why, in one line, or None.
    #[getter]
    fn reason(&self) -> Option<&str> {
        self.inner.reason.as_deref()
    }
    /// Nothing more is awaited.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.closed
    }
    fn __repr__(&self) -> String {
        format!("SendRow({} to {}: {})", self.inner.key, self.inner.node_id, self.inner.state)
    }
}

/// What one peer is to be sent, and what it is to be asked.
#[pyclass(frozen, module = "covey._core")]
pub struct OutboxPage {
    inner: covey_store::OutboxPage,
}

impl OutboxPage {
    /// Wrap a page.
    pub fn wrap(inner: covey_store::OutboxPage) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl OutboxPage {
    /// The name of this store's stream of numbers.
    #[getter]
    fn stream(&self) -> &str {
        &self.inner.stream
    }
    /// The lowest number that may still be sent.
    #[getter]
    fn base(&self) -> u64 {
        self.inner.base
    }
    /// What waits, by number.
    #[getter]
    fn rows(&self) -> Vec<OutboxRow> {
        self.inner.rows.iter().cloned().map(OutboxRow::wrap).collect()
    }
    /// More waits behind these.
    #[getter]
    fn more(&self) -> bool {
        self.inner.more
    }
    /// Assertion ids of what it has and has not said to have finished, the newest first.
    #[getter]
    fn unfinished(&self) -> Vec<String> {
        self.inner.unfinished.iter().map(ToString::to_string).collect()
    }
    /// Numbers that will not be sent any more, as (first, last).
    #[getter]
    fn given_up(&self) -> Vec<(u64, u64)> {
        self.inner.given_up.clone()
    }
    fn __repr__(&self) -> String {
        format!("OutboxPage({} rows from {})", self.inner.rows.len(), self.inner.base)
    }
}

/// Numbers of one sender that were not delivered in their place.
#[pyclass(frozen, module = "covey._core")]
pub struct GapRow {
    inner: covey_store::GapRow,
}

impl GapRow {
    /// Wrap a row.
    pub fn wrap(inner: covey_store::GapRow) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl GapRow {
    /// The sender.
    #[getter]
    fn node_id(&self) -> String {
        self.inner.node_id.to_string()
    }
    /// The sender's name of its stream.
    #[getter]
    fn stream(&self) -> &str {
        &self.inner.stream
    }
    /// The first number that is missing.
    #[getter]
    fn first(&self) -> u64 {
        self.inner.first
    }
    /// The last one.
    #[getter]
    fn last(&self) -> u64 {
        self.inner.last
    }
    /// They may still come, out of their place.
    #[getter]
    fn late(&self) -> bool {
        self.inner.late
    }
    /// Why, in one line.
    #[getter]
    fn reason(&self) -> &str {
        &self.inner.reason
    }
    #[getter]
    fn at_ms(&self) -> u64 {
        self.inner.at_ms
    }
    /// The newest inbox row when it was found.
    #[getter]
    fn after_seq(&self) -> i64 {
        self.inner.after_seq
    }
    fn __repr__(&self) -> String {
        format!("GapRow({} to {} of {})", self.inner.first, self.inner.last, self.inner.node_id)
    }
}
