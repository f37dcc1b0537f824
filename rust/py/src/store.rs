//! Python's view of the store: ids in and out as text, rows as frozen values, the GIL released round every call.

use std::sync::Arc;

use covey_core::id::{ContentKey, NodeId};
use covey_core::record::Verified;
use covey_core::{Reason, Refusal};
use covey_store::{AttestKind, Filter, Line, Own, SharedRow, StoreError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::errors::{core_error, refused};
use crate::intake::{Intake, OutcomeBatch};
use crate::record::Record;
use crate::store_delivery::{Attention, StoreMail};
use crate::store_memory::StoreShelf;
use crate::store_rows::{CommitReport, DecisionRow, InboxRow, OutboxRow, RecallResult, StoredRecord};

/// (node_id, public_key, name, first_seen_ms).
type Binding<'py> = (String, Bound<'py, PyBytes>, String, u64);

/// (record, recipients, when it expires in milliseconds since the epoch or None).
type OwnRecord<'py> = (PyRef<'py, Record>, Vec<String>, Option<u64>);
/// (class, name, value, at_ms).
type KeptRow<'py> = (String, String, Bound<'py, PyBytes>, u64);
/// (number, at_ms, entry, signature).
type AuditLine<'py> = (i64, u64, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

fn audit_line(py: Python<'_>, line: Line) -> AuditLine<'_> {
    (line.id, line.at_ms, PyBytes::new(py, &line.bytes), PyBytes::new(py, &line.signature))
}

/// (id, signer, stored_ms, frame).
type AttestRow<'py> = (i64, String, u64, Bound<'py, PyBytes>);

fn attest_kind(word: &str) -> Result<AttestKind, Refusal> {
    AttestKind::parse(word).ok_or_else(|| Refusal::new(Reason::InvalidArgument, format!("kind: {word:?} is none")))
}

/// Why a call of the store failed: an argument that is no id, or the store itself.
pub enum Failure {
    /// An argument is no id.
    Argument(Refusal),
    /// The store could not.
    Store(StoreError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Argument(refusal)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Run `work` without the GIL and map its failure.
pub fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    py.detach(work).map_err(|failure| match failure {
        Failure::Argument(refusal) => refused(py, &refusal),
        Failure::Store(error) => core_error(py, error.reason.as_str(), &error.to_string(), None),
    })
}

/// The durable memory of one peer: one SQLite file, one writer. Calls are safe from any thread.
///
/// Every change is durable when its call returns; a CoreError (reason `store_...`) names the file and why, and
/// means that nothing of the call was kept.
#[pyclass(frozen, module = "covey._core")]
pub struct Store {
    /// The store itself.
    pub inner: covey_store::Store,
}

#[pymethods]
impl Store {
    /// Open or create the store of `node_id` at `path`.
    ///
    /// Raises:
    ///     CoreError: store_not_a_database, store_foreign, store_newer, store_other_peer, store_locked,
    ///         store_unwritable, store_corrupt, store_disk_full or store_io. Nothing was changed.
    #[staticmethod]
    #[pyo3(signature = (path, *, node_id))]
    fn open(py: Python<'_>, path: std::path::PathBuf, node_id: &str) -> PyResult<Self> {
        detached(py, || Ok(covey_store::Store::open(path, NodeId::parse(node_id)?)?)).map(|inner| Self { inner })
    }

    /// The database file.
    #[getter]
    fn path(&self) -> String {
        self.inner.path().display().to_string()
    }

    /// Make the outcomes of all batches durable in one transaction: records, verdicts, seen-set, inbox.
    ///
    /// Args:
    ///     batches: Outcomes of `Intake.evaluate`, at most 4,096 in all.
    ///     now_ms: The time of receipt that the inbox shows. Stored times are the times of judgement.
    ///     attention: What is known of each batch's blocks beyond what they say; missing ones know nothing.
    #[pyo3(signature = (batches, now_ms, attention=Vec::new()))]
    fn commit(
        &self,
        py: Python<'_>,
        batches: Vec<PyRef<'_, OutcomeBatch>>,
        now_ms: u64,
        attention: Vec<Option<Py<Attention>>>,
    ) -> PyResult<CommitReport> {
        let batches: Vec<_> = batches.iter().map(|batch| Arc::clone(&batch.inner)).collect();
        detached(py, || {
            let known = |at: usize| attention.get(at).and_then(Option::as_ref).map(|known| &known.get().inner);
            let borrowed: Vec<_> = batches.iter().enumerate().map(|(at, batch)| (batch.as_ref(), known(at))).collect();
            Ok(self.inner.commit_attended(&borrowed, now_ms)?)
        })
        .map(CommitReport::wrap)
    }

    /// Store an own record, and one outbox row for each recipient. Return False when its content is held already.
    #[pyo3(signature = (record, now_ms, recipients=Vec::new()))]
    fn put_own(&self, py: Python<'_>, record: &Record, now_ms: u64, recipients: Vec<String>) -> PyResult<bool> {
        let record = Arc::clone(&record.inner);
        detached(py, || {
            let nodes = recipients.iter().map(|id| NodeId::parse(id)).collect::<Result<Vec<_>, _>>()?;
            Ok(self.inner.put_own(&record, now_ms, &nodes)?)
        })
    }

    /// Store several own records, each with its recipients and its deadline, in one transaction: all or none.
    ///
    /// Args:
    ///     records: (record, recipients, when it expires in milliseconds since the epoch, or None for a day from
    ///         now), at most 4,096.
    ///     now_ms: The time they are stored.
    ///
    /// Returns:
    ///     For each, in order, what `put_own` returns, and its new numbers at its recipients.
    fn put_own_many(
        &self,
        py: Python<'_>,
        records: Vec<OwnRecord<'_>>,
        now_ms: u64,
    ) -> PyResult<Vec<(bool, Vec<u64>)>> {
        let records: Vec<_> =
            records.iter().map(|(record, to, deadline)| (Arc::clone(&record.inner), to, *deadline)).collect();
        let stored = detached(py, || {
            let parsed = |(record, to, deadline): (Arc<Verified>, &Vec<String>, Option<u64>)| {
                Ok((record, to.iter().map(|id| NodeId::parse(id)).collect::<Result<Vec<_>, Refusal>>()?, deadline))
            };
            let records = records.into_iter().map(parsed).collect::<Result<Vec<_>, Refusal>>()?;
            let borrowed: Vec<_> = records
                .iter()
                .map(|(record, to, deadline_ms)| Own { record, recipients: to, deadline_ms: *deadline_ms })
                .collect();
            Ok(self.inner.put_own_many(&borrowed, now_ms)?)
        })?;
        Ok(stored.into_iter().map(|put| (put.fresh, put.numbers)).collect())
    }

    /// Return the record with this content key, or None.
    fn record(&self, py: Python<'_>, key: &str) -> PyResult<Option<StoredRecord>> {
        let held = detached(py, || Ok(self.inner.record(ContentKey::parse(key)?)?))?;
        Ok(held.map(StoredRecord::wrap))
    }

    /// Return the record's canonical JSON as it was signed, or None. A disk is no signature: verify before relaying.
    fn record_json<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let json = detached(py, || Ok(self.inner.record_json(ContentKey::parse(key)?)?))?;
        Ok(json.map(|json| PyBytes::new(py, &json)))
    }

    /// Return records, the last stored first.
    #[pyo3(signature = (limit, *, author_node_id=None, exclude_node_id=None, room=None))]
    fn recent(
        &self,
        py: Python<'_>,
        limit: usize,
        author_node_id: Option<&str>,
        exclude_node_id: Option<&str>,
        room: Option<String>,
    ) -> PyResult<Vec<StoredRecord>> {
        let held = detached(py, || {
            let author = author_node_id.map(NodeId::parse).transpose()?;
            let not_author = exclude_node_id.map(NodeId::parse).transpose()?;
            Ok(self.inner.recent(limit, &Filter { author, not_author, room })?)
        })?;
        Ok(held.into_iter().map(StoredRecord::wrap).collect())
    }

    /// Find records by their texts: those with every word first, then those with any; best first.
    ///
    /// Past 1,000 candidates the newest are given and `capped` is set. A query without a word lists the newest.
    fn recall(&self, py: Python<'_>, query: &str, limit: usize) -> PyResult<RecallResult> {
        detached(py, || Ok(self.inner.recall(query, limit)?)).map(RecallResult::wrap)
    }

    /// Add up to `most` records, 512 at most, to the recall index; return how many still wait.
    #[pyo3(signature = (most=512))]
    fn index(&self, py: Python<'_>, most: i64) -> PyResult<u64> {
        detached(py, || Ok(self.inner.index_some(most)?))
    }

    /// Return what the record with this key descends from, at any level, sorted.
    fn parents(&self, py: Python<'_>, key: &str) -> PyResult<Vec<String>> {
        let edges = detached(py, || Ok(self.inner.parents(ContentKey::parse(key)?)?))?;
        Ok(edges.iter().map(|edge| edge.parent.to_string()).collect())
    }

    /// Return the held records that descend from this key, at any level, in the order they were stored.
    fn children(&self, py: Python<'_>, key: &str) -> PyResult<Vec<String>> {
        let keys = detached(py, || Ok(self.inner.children(ContentKey::parse(key)?)?))?;
        Ok(keys.iter().map(ToString::to_string).collect())
    }

    /// Return decisions and refusals, newest first; of one block when `key` is given.
    #[pyo3(signature = (limit, *, key=None))]
    fn decisions(&self, py: Python<'_>, limit: usize, key: Option<&str>) -> PyResult<Vec<DecisionRow>> {
        let rows = detached(py, || {
            let key = key.map(ContentKey::parse).transpose()?;
            Ok(self.inner.decisions(limit, key)?)
        })?;
        Ok(rows.into_iter().map(DecisionRow::wrap).collect())
    }

    /// Return the content keys that begin with 1 to 64 hexadecimal digits, of blocks held or turned away; at most 8.
    fn keys_from(&self, py: Python<'_>, digits: &str) -> PyResult<Vec<String>> {
        let keys = detached(py, || Ok(self.inner.keys_from(digits)?))?;
        Ok(keys.iter().map(ToString::to_string).collect())
    }

    /// Return inbox rows behind `cursor`, oldest first.
    fn inbox(&self, py: Python<'_>, cursor: i64, limit: usize) -> PyResult<Vec<InboxRow>> {
        let rows = detached(py, || Ok(self.inner.inbox(cursor, limit)?))?;
        Ok(rows.into_iter().map(InboxRow::wrap).collect())
    }

    /// Acknowledge everything up to and including `cursor`. The cursor never goes back.
    fn inbox_ack(&self, py: Python<'_>, cursor: i64) -> PyResult<()> {
        detached(py, || Ok(self.inner.inbox_ack(cursor)?))
    }

    /// Return the acknowledged cursor, 0 at first.
    fn inbox_cursor(&self, py: Python<'_>) -> PyResult<i64> {
        detached(py, || Ok(self.inner.inbox_cursor()?))
    }

    /// Return what waits to be sent, oldest first; to one peer when `node_id` is given.
    #[pyo3(signature = (limit, *, node_id=None))]
    fn outbox(&self, py: Python<'_>, limit: usize, node_id: Option<&str>) -> PyResult<Vec<OutboxRow>> {
        let rows = detached(py, || {
            let node_id = node_id.map(NodeId::parse).transpose()?;
            Ok(self.inner.outbox(limit, node_id)?)
        })?;
        Ok(rows.into_iter().map(OutboxRow::wrap).collect())
    }

    /// What it knows of sends and of what was addressed to this peer.
    #[getter]
    fn mail(slf: Py<Self>) -> StoreMail {
        StoreMail { store: slf }
    }

    /// What it keeps of blocks over time.
    #[getter]
    fn memory(slf: Py<Self>) -> StoreShelf {
        StoreShelf { store: slf }
    }

    /// Return every binding as (node_id, public_key, name, first_seen_ms), oldest first.
    fn bindings<'py>(&self, py: Python<'py>) -> PyResult<Vec<Binding<'py>>> {
        let rows = detached(py, || Ok(self.inner.bindings()?))?;
        Ok(rows
            .into_iter()
            .map(|row| (row.node_id.to_string(), PyBytes::new(py, &row.public_key), row.name, row.first_seen_ms))
            .collect())
    }

    /// Bind a node to the 32-byte key it proved; return bound, known or conflict (the first key stays).
    fn bind(
        &self,
        py: Python<'_>,
        node_id: &str,
        public_key: [u8; 32],
        name: &str,
        now_ms: u64,
    ) -> PyResult<&'static str> {
        detached(py, || Ok(self.inner.bind(NodeId::parse(node_id)?, &public_key, name, now_ms)?.as_str()))
    }

    /// Forget which key a node is bound to, because its operator said so; return whether there was one.
    fn unbind(&self, py: Python<'_>, node_id: &str) -> PyResult<bool> {
        detached(py, || Ok(self.inner.unbind(NodeId::parse(node_id)?)?))
    }

    /// Keep authority statements as (id, JSON) pairs, and forget others by id, in one transaction.
    #[pyo3(signature = (kept, dropped=Vec::new()))]
    fn statements_put(&self, py: Python<'_>, kept: Vec<(String, Vec<u8>)>, dropped: Vec<String>) -> PyResult<()> {
        detached(py, || Ok(self.inner.statements_put(&kept, &dropped)?))
    }

    /// Return every kept authority statement as (id, JSON). A disk is no signature: judge them.
    fn statements<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyBytes>)>> {
        let rows = detached(py, || Ok(self.inner.statements()?))?;
        Ok(rows.into_iter().map(|(id, json)| (id, PyBytes::new(py, &json))).collect())
    }

    /// Keep tasks as (id, JSON) pairs, in place of earlier ones, and forget others by id, in one transaction.
    #[pyo3(signature = (kept, dropped=Vec::new()))]
    fn tasks_put(&self, py: Python<'_>, kept: Vec<(String, Vec<u8>)>, dropped: Vec<String>) -> PyResult<()> {
        detached(py, || Ok(self.inner.tasks_put(&kept, &dropped)?))
    }

    /// Return every kept task as (id, JSON), in the order they were first kept.
    fn tasks<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyBytes>)>> {
        let rows = detached(py, || Ok(self.inner.tasks()?))?;
        Ok(rows.into_iter().map(|(id, json)| (id, PyBytes::new(py, &json))).collect())
    }

    /// Append attestation frames as (kind, signer, bytes), and the new head of one's own chain: all or nothing.
    #[pyo3(signature = (rows, now_ms, *, chain=None))]
    fn attest_put(
        &self,
        py: Python<'_>,
        rows: Vec<(String, String, Vec<u8>)>,
        now_ms: u64,
        chain: Option<Vec<u8>>,
    ) -> PyResult<()> {
        detached(py, || {
            let read = |(kind, signer, frame): (String, String, Vec<u8>)| Ok((attest_kind(&kind)?, signer, frame));
            let rows = rows.into_iter().map(read).collect::<Result<Vec<_>, Refusal>>()?;
            Ok(self.inner.attest_put(&rows, chain.as_deref(), now_ms)?)
        })
    }

    /// Return frames of a kind as (id, signer, stored_ms, bytes), oldest first: behind `after`, or the newest ones.
    #[pyo3(signature = (kind, limit, *, after=None))]
    fn attest_rows<'py>(
        &self,
        py: Python<'py>,
        kind: &str,
        limit: usize,
        after: Option<i64>,
    ) -> PyResult<Vec<AttestRow<'py>>> {
        let rows = detached(py, || Ok(self.inner.attest_rows(attest_kind(kind)?, after, limit)?))?;
        Ok(rows.into_iter().map(|row| (row.id, row.signer, row.stored_ms, PyBytes::new(py, &row.frame))).collect())
    }

    /// Return the stored head of one's own chain of attestations, or None.
    fn attest_chain<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let chain = detached(py, || Ok(self.inner.attest_chain()?))?;
        Ok(chain.map(|chain| PyBytes::new(py, &chain)))
    }

    /// Return the value kept under `name`, or None.
    fn state_get<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let value = detached(py, || Ok(self.inner.state_get(name)?))?;
        Ok(value.map(|value| PyBytes::new(py, &value)))
    }

    /// Keep `value` (at most 4 MiB) under `name`, in place of an earlier one.
    fn state_put(&self, py: Python<'_>, name: &str, value: &[u8]) -> PyResult<()> {
        detached(py, || Ok(self.inner.state_put(name, value)?))
    }

    /// Forget every row of the scopes in `clear`, then append rows of (scope, kind, bytes): all of it, or nothing.
    fn shared_write(&self, py: Python<'_>, clear: Vec<String>, rows: Vec<(String, u8, Vec<u8>)>) -> PyResult<()> {
        let row = |(scope, kind, bytes)| SharedRow { scope, kind, bytes };
        detached(py, || Ok(self.inner.shared_write(&clear, &rows.into_iter().map(row).collect::<Vec<_>>())?))
    }

    /// Return every row of shared state as (scope, kind, bytes), each scope's in the order they were written.
    fn shared_load<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, u8, Bound<'py, PyBytes>)>> {
        let rows = detached(py, || Ok(self.inner.shared_load()?))?;
        Ok(rows.into_iter().map(|row| (row.scope, row.kind, PyBytes::new(py, &row.bytes))).collect())
    }

    /// Keep a value (at most 256 KiB) for the agent alone, under a class and a name.
    fn kept_put(&self, py: Python<'_>, class_name: &str, name: &str, value: &[u8], now_ms: u64) -> PyResult<()> {
        detached(py, || Ok(self.inner.kept_put(class_name, name, value, now_ms)?))
    }

    /// Forget what is kept under a class and a name; return whether there was anything.
    fn kept_delete(&self, py: Python<'_>, class_name: &str, name: &str) -> PyResult<bool> {
        detached(py, || Ok(self.inner.kept_delete(class_name, name)?))
    }

    /// Return everything that is kept as (class, name, value, at_ms), by class and name.
    fn kept<'py>(&self, py: Python<'py>) -> PyResult<Vec<KeptRow<'py>>> {
        let rows = detached(py, || Ok(self.inner.kept()?))?;
        Ok(rows.into_iter().map(|(class, name, value, at)| (class, name, PyBytes::new(py, &value), at)).collect())
    }

    /// Append a sealed entry to the diary; return its number.
    fn diary_add(&self, py: Python<'_>, at_ms: u64, sealed: &[u8]) -> PyResult<i64> {
        detached(py, || Ok(self.inner.diary_add(at_ms, sealed)?))
    }

    /// Return sealed entries as (number, at_ms, sealed), oldest first: behind `after`, from and to a time, both counted.
    fn diary_page<'py>(
        &self,
        py: Python<'py>,
        after: i64,
        from_ms: u64,
        to_ms: u64,
        limit: usize,
    ) -> PyResult<Vec<(i64, u64, Bound<'py, PyBytes>)>> {
        let lines = detached(py, || Ok(self.inner.diary_page(after, from_ms, to_ms, limit)?))?;
        Ok(lines.into_iter().map(|line| (line.id, line.at_ms, PyBytes::new(py, &line.bytes))).collect())
    }

    /// Return the diary's number of entries, and the times of the first and the last.
    fn diary_facts(&self, py: Python<'_>) -> PyResult<(u64, Option<u64>, Option<u64>)> {
        detached(py, || Ok(self.inner.diary_facts()?))
    }

    /// Append a signed line to the log of what left; return its number.
    fn audit_add(&self, py: Python<'_>, at_ms: u64, entry: &[u8], signature: [u8; 64]) -> PyResult<i64> {
        detached(py, || Ok(self.inner.audit_add(at_ms, entry, &signature)?))
    }

    /// Return lines of that log behind `after` as (number, at_ms, entry, signature), oldest first.
    fn audit_page<'py>(&self, py: Python<'py>, after: i64, limit: usize) -> PyResult<Vec<AuditLine<'py>>> {
        let lines = detached(py, || Ok(self.inner.audit_page(after, limit)?))?;
        Ok(lines.into_iter().map(|line| audit_line(py, line)).collect())
    }

    /// Return the last line of that log, or None.
    fn audit_last<'py>(&self, py: Python<'py>) -> PyResult<Option<AuditLine<'py>>> {
        Ok(detached(py, || Ok(self.inner.audit_last()?))?.map(|line| audit_line(py, line)))
    }

    /// Keep several values, and mark blocks as having woken the agent, in one transaction.
    #[pyo3(signature = (values, woken = Vec::new()))]
    fn state_put_many(&self, py: Python<'_>, values: Vec<(String, Vec<u8>)>, woken: Vec<String>) -> PyResult<()> {
        let values: Vec<(&str, &[u8])> = values.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        detached(py, || {
            let woken = woken.iter().map(|key| ContentKey::parse(key)).collect::<Result<Vec<_>, _>>()?;
            Ok(self.inner.state_put_many(&values, &woken)?)
        })
    }

    /// Say whether the block with this key has woken the agent before.
    fn woken(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        detached(py, || Ok(self.inner.woken(ContentKey::parse(key)?)?))
    }

    /// Fill a new intake with bindings, the seen-set and the newest anchors; return how many anchors it got.
    fn load_into(&self, py: Python<'_>, intake: &Intake) -> PyResult<usize> {
        detached(py, || Ok(self.inner.load_into(&mut intake.lock())?))
    }

    /// Return the store's figures by name: rows of each kind, `recall_lag`, sizes in bytes.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = detached(py, || Ok(self.inner.stats()?))?;
        let figures = PyDict::new(py);
        figures.set_item("schema_version", stats.schema_version)?;
        figures.set_item("records", stats.records)?;
        figures.set_item("own", stats.own)?;
        figures.set_item("decisions", stats.decisions)?;
        figures.set_item("inbox_unread", stats.inbox_unread)?;
        figures.set_item("inbox_last", stats.inbox_last)?;
        figures.set_item("inbox_dropped", stats.inbox_dropped)?;
        figures.set_item("outbox_pending", stats.outbox_pending)?;
        figures.set_item("seen", stats.seen)?;
        figures.set_item("bindings", stats.bindings)?;
        figures.set_item("recall_lag", stats.recall_lag)?;
        figures.set_item("file_bytes", stats.file_bytes)?;
        figures.set_item("log_bytes", stats.log_bytes)?;
        Ok(figures)
    }

    /// Merge a few pages of the recall index; say whether more may be merged.
    fn merge(&self, py: Python<'_>) -> PyResult<bool> {
        detached(py, || Ok(self.inner.merge_some()?))
    }

    /// Say why the log could not be copied back into the file when that was tried last; None where it could.
    fn log_trouble(&self) -> Option<String> {
        self.inner.log_trouble()
    }

    /// Check every page and index of the file; return what is wrong with it.
    fn integrity(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        detached(py, || Ok(self.inner.integrity()?))
    }

    /// Close the file and free its lock. A second call does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || Ok(self.inner.close()?))
    }

    fn __repr__(&self) -> String {
        format!("Store({})", self.inner.path().display())
    }
}
