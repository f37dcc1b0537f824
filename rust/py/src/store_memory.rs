//! What the store keeps of blocks over time, for Python: lifecycle, feedback, retention, search, carrying away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use covey_core::category::Category;
use covey_core::id::{AssertionId, ContentKey, NodeId};
use covey_core::intake::Selection;
use covey_core::{Reason, Refusal};
use covey_store::{Lifecycle, Moved, Query};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::intake::Intake;
use crate::record::Record;
use crate::store::{Store, detached};
use crate::store_rows::RecallResult;

/// (at_ms, key, from, to, by, because).
type Step = (u64, String, &'static str, &'static str, String, String);
/// (place, canonical JSON, stored_ms, lifecycle).
type Carried<'py> = (i64, Bound<'py, PyBytes>, u64, String);

/// (records by lifecycle, words by kind, first, last).
type Census = (BTreeMap<String, i64>, BTreeMap<String, i64>, Option<u64>, Option<u64>);

/// Adds the classes of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<StoreShelf>()?;
    module.add_class::<Forgetting>()?;
    module.add_class::<FeedbackRow>()?;
    Ok(())
}

/// What a store keeps of blocks over time: `Store.memory`.
#[pyclass(frozen, module = "covey._core")]
pub struct StoreShelf {
    /// Whose memory it is.
    pub store: Py<Store>,
}

impl StoreShelf {
    fn held(&self) -> &covey_store::Store {
        &self.store.get().inner
    }
}

fn read_by(intake: &Intake) -> (Option<Selection>, usize) {
    let held = intake.lock();
    let policy = held.policy();
    (policy.select.clone(), policy.window)
}

fn lifecycle(word: &str) -> Result<Lifecycle, Refusal> {
    Lifecycle::parse(word)
        .ok_or_else(|| Refusal::new(Reason::InvalidArgument, format!("lifecycle: {word:?} is no state of a block")))
}

fn category(word: &str) -> Result<Category, Refusal> {
    Category::ALL
        .into_iter()
        .find(|each| each.name() == word)
        .ok_or_else(|| Refusal::new(Reason::InvalidArgument, format!("category: {word:?} is none of the seven")))
}

#[pymethods]
impl StoreShelf {
    /// Find records by words and everything else they can be told apart by; newest first, or by relevance.
    ///
    /// Args:
    ///     text: Every one of these words; "" asks for none.
    ///     limit: Most hits.
    ///     category: Only where this one says something; the words are looked for in it.
    ///     author: A nodeId.
    ///     label: What authors call themselves, which proves nothing.
    ///     own: Only this peer's own, or only others'.
    ///     from_ms, to_ms: Only what was stored from the one moment on, before the other.
    ///     lifecycle: Only what has come so far.
    ///     below, above: Only what descends from this key, or what this key descends from.
    #[pyo3(signature = (text, limit, *, category=None, author=None, label=None, own=None, room=None, from_ms=None,
        to_ms=None, lifecycle=None, below=None, above=None))]
    #[allow(clippy::too_many_arguments, reason = "keywords of one search")]
    fn find(
        &self,
        py: Python<'_>,
        text: String,
        limit: usize,
        category: Option<&str>,
        author: Option<&str>,
        label: Option<String>,
        own: Option<bool>,
        room: Option<String>,
        from_ms: Option<u64>,
        to_ms: Option<u64>,
        lifecycle: Option<&str>,
        below: Option<&str>,
        above: Option<&str>,
    ) -> PyResult<RecallResult> {
        detached(py, || {
            let query = Query {
                text,
                category: category.map(self::category).transpose()?,
                author: author.map(NodeId::parse).transpose()?,
                label,
                own,
                room,
                from_ms,
                to_ms,
                lifecycle: lifecycle.map(self::lifecycle).transpose()?,
                below: below.map(ContentKey::parse).transpose()?,
                above: above.map(ContentKey::parse).transpose()?,
            };
            Ok(self.held().find(&query, limit)?)
        })
        .map(RecallResult::wrap)
    }

    /// Move a block for somebody whose authority was judged already, and write the step down.
    ///
    /// Returns:
    ///     (outcome, where it stood): moved, already, not_held, barred, or too_few_remixers.
    #[pyo3(signature = (key, to, *, by, because, now_ms))]
    fn step(
        &self,
        py: Python<'_>,
        key: &str,
        to: &str,
        by: &str,
        because: &str,
        now_ms: u64,
    ) -> PyResult<(&'static str, Option<&'static str>)> {
        let moved = detached(py, || {
            let (key, by) = (ContentKey::parse(key)?, NodeId::parse(by)?);
            Ok(self.held().move_block(key, lifecycle(to)?, by, AssertionId::parse(because)?, now_ms)?)
        })?;
        Ok(match moved {
            Moved::Done(from) => ("moved", Some(from.as_str())),
            Moved::Already => ("already", None),
            Moved::NotHeld => ("not_held", None),
            Moved::Barred(from) => ("barred", Some(from.as_str())),
            Moved::TooFewRemixers(_) => ("too_few_remixers", None),
        })
    }

    /// Return the steps that authority made, newest first, as (at_ms, key, from, to, by, because); of one block by key.
    #[pyo3(signature = (limit, *, key=None))]
    fn steps(&self, py: Python<'_>, limit: usize, key: Option<&str>) -> PyResult<Vec<Step>> {
        let rows = detached(py, || Ok(self.held().moves(key.map(ContentKey::parse).transpose()?, limit)?))?;
        let step = |row: covey_store::MoveRow| {
            let (from, to) = (row.from.as_str(), row.to.as_str());
            (row.at_ms, row.key.to_string(), from, to, row.by.to_string(), row.because.to_string())
        };
        Ok(rows.into_iter().map(step).collect())
    }

    /// Count what nothing came of since a moment.
    fn idle(&self, py: Python<'_>, before_ms: u64) -> PyResult<u64> {
        detached(py, || Ok(self.held().idle(before_ms)?))
    }

    /// Archive a slice of that; return how many, 0 when none are left.
    fn archive_idle(&self, py: Python<'_>, before_ms: u64) -> PyResult<usize> {
        detached(py, || Ok(self.held().archive_idle(before_ms)?))
    }

    /// Begin a pass over what retention can forget that was stored before a moment, so many at most, the youngest first.
    /// Changes nothing.
    #[pyo3(signature = (before_ms, most=None))]
    fn forgettable(&self, py: Python<'_>, before_ms: u64, most: Option<usize>) -> PyResult<Forgetting> {
        let pass = detached(py, || Ok(self.held().forgettable(before_ms, most.unwrap_or(usize::MAX))?))?;
        Ok(Forgetting { store: self.store.clone_ref(py), pass: Mutex::new(pass) })
    }

    /// Return what blocks say of others that was stored behind a place, oldest first.
    fn feedback_after(&self, py: Python<'_>, seq: i64, limit: usize) -> PyResult<Vec<FeedbackRow>> {
        let rows = detached(py, || Ok(self.held().feedback_after(seq, limit)?))?;
        Ok(rows.into_iter().map(FeedbackRow::wrap).collect())
    }

    /// Return what is said of one block, the last stored first.
    fn feedback_of(&self, py: Python<'_>, key: &str, limit: usize) -> PyResult<Vec<FeedbackRow>> {
        let rows = detached(py, || Ok(self.held().feedback_of(ContentKey::parse(key)?, limit)?))?;
        Ok(rows.into_iter().map(FeedbackRow::wrap).collect())
    }

    /// Return what others say of this peer's own blocks of a room, the last stored first.
    fn feedback_for_own(&self, py: Python<'_>, room: &str, limit: usize) -> PyResult<Vec<FeedbackRow>> {
        let rows = detached(py, || Ok(self.held().feedback_for_own(room, limit)?))?;
        Ok(rows.into_iter().map(FeedbackRow::wrap).collect())
    }

    /// Return how far what is said was acted upon.
    fn feedback_cursor(&self, py: Python<'_>) -> PyResult<i64> {
        detached(py, || Ok(self.held().feedback_cursor()?))
    }

    /// Remember how far what is said was acted upon; it never goes back.
    fn feedback_done(&self, py: Python<'_>, seq: i64) -> PyResult<()> {
        detached(py, || Ok(self.held().feedback_done(seq)?))
    }

    /// Return signed records behind a place as (place, canonical JSON, stored_ms, lifecycle), oldest first.
    fn carry_out<'py>(&self, py: Python<'py>, after: i64, limit: usize) -> PyResult<Vec<Carried<'py>>> {
        let rows = detached(py, || Ok(self.held().carry_out(after, limit)?))?;
        Ok(rows.into_iter().map(|row| (row.seq, PyBytes::new(py, &row.json), row.stored_ms, row.lifecycle)).collect())
    }

    /// Store verified records, all or none; return of each whether it is new.
    fn carry_in(&self, py: Python<'_>, records: Vec<PyRef<'_, Record>>, now_ms: u64) -> PyResult<Vec<bool>> {
        let records: Vec<_> = records.iter().map(|record| Arc::clone(&record.inner)).collect();
        detached(py, || {
            let borrowed: Vec<_> = records.iter().map(Arc::as_ref).collect();
            Ok(self.held().carry_in(&borrowed, now_ms)?)
        })
    }

    /// Read the next slice of records that the intake's kernel has not read, newest first, and store what it read; those that
    /// were stored before the start become anchors.
    ///
    /// Returns:
    ///     How many were read, and how many of them are new anchors; (0, 0) when all are read, and on the baseline.
    fn encode(&self, py: Python<'_>, intake: &Intake) -> PyResult<(usize, usize)> {
        detached(py, || {
            let (select, window) = read_by(intake);
            let Some(selection) = select else { return Ok((0, 0)) };
            let encoded = self.held().encode(&selection.encoder, window)?;
            // Only now, and for as long as it takes to put them in their places: intake does not wait for reading.
            let anchors = if encoded.blocks.is_empty() { 0 } else { intake.lock().restore_read(encoded.blocks) };
            Ok((encoded.read, anchors))
        })
    }

    /// Return the intake's kernel, how many records of its window are stored as that kernel read them, and of how many; None
    /// on the baseline, which reads its few at the start.
    fn encoding(&self, py: Python<'_>, intake: &Intake) -> PyResult<Option<(String, u64, u64)>> {
        detached(py, || {
            let (select, window) = read_by(intake);
            let Some(selection) = select else { return Ok(None) };
            let progress = self.held().encoding(&selection.encoder, window)?;
            Ok(Some((selection.encoder.id().to_owned(), progress.read, progress.of)))
        })
    }

    /// Return how many records are stored as each kernel read them, by the kernel's id.
    fn kernels(&self, py: Python<'_>) -> PyResult<BTreeMap<String, u64>> {
        detached(py, || Ok(self.held().kernels()?))
    }

    /// Return records by lifecycle, words about blocks by kind, and when the first and the last record was stored.
    fn census(&self, py: Python<'_>) -> PyResult<Census> {
        let census = detached(py, || Ok(self.held().census()?))?;
        Ok((census.lifecycle, census.feedback, census.oldest_ms, census.newest_ms))
    }
}

/// A pass over what could be forgotten when it began: `StoreShelf.forgettable`. It goes in calls, so that a commit waits for
/// one of them at most.
#[pyclass(frozen, module = "covey._core")]
pub struct Forgetting {
    store: Py<Store>,
    pass: Mutex<covey_store::Forgetting>,
}

impl Forgetting {
    /// A panic leaves a pass where it was: its places are looked at again.
    fn lock(&self) -> MutexGuard<'_, covey_store::Forgetting> {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Forgetting {
    /// How many blocks could go when it began.
    fn __len__(&self, py: Python<'_>) -> usize {
        py.detach(|| self.lock().len())
    }
    /// Nothing is left to do.
    #[getter]
    fn over(&self, py: Python<'_>) -> bool {
        py.detach(|| self.lock().is_over())
    }
    /// Do one call's part; return how many blocks went. That they went is durable when the pass is over.
    fn forget(&self, py: Python<'_>) -> PyResult<usize> {
        detached(py, || Ok(self.store.get().inner.forget(&mut self.lock())?))
    }
    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Forgetting({} blocks)", self.__len__(py))
    }
}

/// One block's word on another.
#[pyclass(frozen, module = "covey._core")]
pub struct FeedbackRow {
    inner: covey_store::FeedbackRow,
}

impl FeedbackRow {
    fn wrap(inner: covey_store::FeedbackRow) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl FeedbackRow {
    /// Its place in the order of storing.
    #[getter]
    fn seq(&self) -> i64 {
        self.inner.seq
    }
    /// The block that speaks.
    #[getter]
    fn key(&self) -> String {
        self.inner.key.to_string()
    }
    #[getter]
    fn assertion_id(&self) -> String {
        self.inner.assertion_id.to_string()
    }
    /// Who speaks.
    #[getter]
    fn node_id(&self) -> String {
        self.inner.author.to_string()
    }
    #[getter]
    fn stored_ms(&self) -> u64 {
        self.inner.stored_ms
    }
    /// verified or failed, or validate, dismiss, canonise, archive.
    #[getter]
    fn kind(&self) -> &'static str {
        self.inner.kind.as_str()
    }
    /// The block it speaks of.
    #[getter]
    fn target(&self) -> String {
        self.inner.target.to_string()
    }
    /// The words of its commitment.
    #[getter]
    fn words(&self) -> &str {
        &self.inner.words
    }
    fn __repr__(&self) -> String {
        format!("FeedbackRow({} of {})", self.inner.kind.as_str(), self.inner.target)
    }
}
