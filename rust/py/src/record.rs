//! Python's view of records: drafts, claims, verified records, and the functions between them.

use std::sync::Arc;

use covey_core::category::{self, Category};
use covey_core::compact;
use covey_core::error::{Reason, Refusal};
use covey_core::id::{ContentKey, NodeId};
use covey_core::record::{self, Verified};
use covey_core::{address, identity, signature};
use covey_engine::Engine;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyTuple};

use crate::errors::{mapped, refused};
use crate::identity::{Identity, SigningKey};
use crate::keys;

/// Application bytes that a record authenticates (MMP 2.0 §8.8.3).
#[pyclass(frozen, module = "covey._core")]
pub struct Application {
    inner: record::Application,
}

#[pymethods]
impl Application {
    /// Take `data` (at most 524,288 bytes) with its media type and schema URI (or "").
    #[new]
    fn new(py: Python<'_>, media_type: &str, schema: &str, data: Vec<u8>) -> PyResult<Self> {
        mapped(py, record::Application::new(media_type, schema, data)).map(|inner| Self { inner })
    }
    #[getter]
    fn media_type(&self) -> &str {
        self.inner.media_type()
    }
    #[getter]
    fn schema(&self) -> &str {
        self.inner.schema()
    }
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.data())
    }
}

/// What an author wants to say, checked and normalised, before it is signed.
#[pyclass(frozen, module = "covey._core")]
pub struct Draft {
    inner: record::Draft,
}

#[pymethods]
impl Draft {
    /// Check and take the parts of a record; categories that are absent or empty become "neutral".
    #[new]
    #[pyo3(signature = (categories, *, node_id, author, created_ms, room, to=None, parents=Vec::new(), category_parents=None, application=None))]
    #[allow(clippy::too_many_arguments)] // the members of a record, all but one by keyword
    fn new(
        py: Python<'_>,
        categories: &Bound<'_, PyMapping>,
        node_id: &str,
        author: &str,
        created_ms: u64,
        room: &str,
        to: Option<&str>,
        parents: Vec<String>,
        category_parents: Option<&Bound<'_, PyMapping>>,
        application: Option<&Application>,
    ) -> PyResult<Self> {
        let node_id = mapped(py, NodeId::parse(node_id))?;
        let mut draft = mapped(py, record::Draft::new(node_id, author, created_ms, room))?;
        for (category, text) in named::<String>(py, categories)? {
            mapped(py, draft.say(category, &text))?;
        }
        if let Some(category_parents) = category_parents {
            for (category, keys) in named::<Vec<String>>(py, category_parents)? {
                mapped(py, draft.descend_category(category, &content_keys(py, &keys)?))?;
            }
        }
        mapped(py, draft.descend(&content_keys(py, &parents)?))?;
        if let Some(to) = to {
            draft.to(mapped(py, NodeId::parse(to))?);
        }
        if let Some(application) = application {
            draft.carry(application.inner.clone());
        }
        Ok(Self { inner: draft })
    }
}

/// A record as some peer claims it: well-formed, and nothing more is known.
#[pyclass(frozen, module = "covey._core")]
pub struct Unverified {
    inner: record::Unverified,
}

#[pymethods]
impl Unverified {
    /// Read one logical record from JSON bytes (§8.8.5 steps 1 and 2).
    #[staticmethod]
    fn parse(py: Python<'_>, json: &[u8]) -> PyResult<Self> {
        mapped(py, record::Unverified::parse(json)).map(|inner| Self { inner })
    }

    /// Return the canonical bytes of the claim: RFC 8785 of the signed projection.
    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.claimed().to_json())
    }
}

/// A record whose address, assertion and signature hold.
#[pyclass(frozen, module = "covey._core")]
pub struct Record {
    pub inner: Arc<Verified>,
}

impl Record {
    /// Wrap a verified record.
    pub fn wrap(inner: Verified) -> Self {
        Self { inner: Arc::new(inner) }
    }

    fn metadata(&self) -> &record::Metadata {
        &self.inner.record().metadata
    }
}

#[pymethods]
impl Record {
    #[getter]
    fn key(&self) -> String {
        self.metadata().key.to_string()
    }
    #[getter]
    fn assertion_id(&self) -> String {
        self.metadata().assertion_id.to_string()
    }
    #[getter]
    fn node_id(&self) -> String {
        self.metadata().author.to_string()
    }
    #[getter]
    fn author(&self) -> &str {
        &self.metadata().author_label
    }
    #[getter]
    fn created_ms(&self) -> u64 {
        self.metadata().created_ms
    }
    #[getter]
    fn room(&self) -> &str {
        &self.metadata().room
    }
    #[getter]
    fn to(&self) -> Option<String> {
        self.metadata().to.map(|to| to.to_string())
    }
    #[getter]
    fn parents<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.metadata().parents.iter().map(ToString::to_string))
    }
    #[getter]
    fn categories<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let texts = PyDict::new(py);
        for category in Category::ALL {
            texts.set_item(category.name(), self.inner.record().text(category))?;
        }
        Ok(texts)
    }
    #[getter]
    fn application(&self) -> Option<Application> {
        self.metadata().application.clone().map(|inner| Application { inner })
    }
    #[getter]
    fn signature<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.metadata().signature)
    }
    /// Its bytes in a compact batch, which credit counts.
    #[getter]
    fn size_bytes(&self) -> usize {
        compact::size(self.inner.record())
    }

    /// Return the canonical bytes: RFC 8785 of the signed projection.
    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.record().to_json())
    }

    fn __repr__(&self) -> String {
        format!("Record({}, by {}, room {})", self.metadata().key, self.metadata().author_label, self.metadata().room)
    }
}

/// What somebody is heard to have said, on a wire that proves less or by a peer that passes it on. No function takes it for a record.
#[pyclass(frozen, module = "covey._core")]
pub struct Hearsay {
    pub inner: Arc<record::Hearsay>,
}

impl Hearsay {
    fn metadata(&self) -> &record::Metadata {
        &self.inner.record().metadata
    }
}

#[pymethods]
impl Hearsay {
    #[getter]
    fn key(&self) -> String {
        self.metadata().key.to_string()
    }
    #[getter]
    fn assertion_id(&self) -> String {
        self.metadata().assertion_id.to_string()
    }
    /// The peer it is attributed to, by its own claim.
    #[getter]
    fn node_id(&self) -> String {
        self.metadata().author.to_string()
    }
    #[getter]
    fn author(&self) -> &str {
        &self.metadata().author_label
    }
    #[getter]
    fn created_ms(&self) -> u64 {
        self.metadata().created_ms
    }
    #[getter]
    fn room(&self) -> &str {
        &self.metadata().room
    }
    #[getter]
    fn to(&self) -> Option<String> {
        self.metadata().to.map(|to| to.to_string())
    }
    #[getter]
    fn parents<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.metadata().parents.iter().map(ToString::to_string))
    }
    #[getter]
    fn categories<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let texts = PyDict::new(py);
        for category in Category::ALL {
            texts.set_item(category.name(), self.inner.record().text(category))?;
        }
        Ok(texts)
    }
    fn __repr__(&self) -> String {
        format!("Hearsay({}, by {})", self.metadata().key, self.metadata().author_label)
    }
}

/// A signing key, or an identity that holds one.
#[derive(FromPyObject)]
pub enum Signer<'py> {
    Key(PyRef<'py, SigningKey>),
    Identity(PyRef<'py, Identity>),
}

impl Signer<'_> {
    fn key(&self) -> &identity::SigningKey {
        match self {
            Self::Key(key) => &key.inner,
            Self::Identity(identity) => identity.inner.key(),
        }
    }
}

/// A claim, or a record that is to be verified again.
#[derive(FromPyObject)]
pub enum Claim<'py> {
    Unverified(PyRef<'py, Unverified>),
    Record(PyRef<'py, Record>),
}

impl Claim<'_> {
    /// The record as hearsay.
    pub fn claim(&self) -> record::Unverified {
        match self {
            Self::Unverified(claim) => claim.inner.clone(),
            Self::Record(record) => record::Unverified::distrust(record.inner.record().clone()),
        }
    }
}

/// Return the address of one category's text: 64 lower-case hex digits (§8.2.1). The text's NFC form counts.
#[pyfunction]
pub fn category_key(py: Python<'_>, name: &str, text: &str) -> PyResult<String> {
    Ok(address::category_key(category_named(py, name)?, text).to_string())
}

/// Return the address of a record's cognition, `cmb-` and 64 hex digits (§8.8.2). Absent and empty categories count as "neutral".
#[pyfunction]
pub fn content_key(py: Python<'_>, categories: &Bound<'_, PyMapping>) -> PyResult<String> {
    let texts = texts(py, categories)?;
    let keys = address::category_keys(std::array::from_fn(|index| texts[index].as_str()));
    Ok(address::content_key(&keys).to_string())
}

/// Read seven texts as they would be minted: absent and empty ones are "neutral".
pub fn texts(py: Python<'_>, categories: &Bound<'_, PyMapping>) -> PyResult<[String; category::COUNT]> {
    let mut texts: [String; category::COUNT] = std::array::from_fn(|_| category::NEUTRAL.to_owned());
    for (category, text) in named::<String>(py, categories)? {
        if !text.is_empty() {
            texts[category.index()] = text;
        }
    }
    Ok(texts)
}

/// Address, sign and complete a draft (§8.8.4).
#[pyfunction]
pub fn sign(py: Python<'_>, draft: &Draft, key: Signer<'_>) -> PyResult<Record> {
    let (draft, key) = (draft.inner.clone(), key.key().clone());
    mapped(py, py.detach(|| signature::sign(draft, &key))).map(Record::wrap)
}

/// Sign many drafts of one author at once, on several cores: for each a `Record`, or the `CoreError` that refused it.
#[pyfunction]
pub fn sign_many<'py>(
    py: Python<'py>,
    drafts: Vec<PyRef<'_, Draft>>,
    key: Signer<'_>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let drafts: Vec<_> = drafts.iter().map(|draft| draft.inner.clone()).collect();
    let key = key.key();
    each(py, py.detach(|| Engine::of_machine().sign(drafts, key)))
}

/// Verify a record under its author's 32-byte public key: addresses, assertion id, strict signature (§8.8.5).
#[pyfunction]
pub fn verify(py: Python<'_>, record: Claim<'_>, public_key: [u8; 32]) -> PyResult<Record> {
    let claim = record.claim();
    let judged = py.detach(|| {
        let key = keys::checked(public_key)?;
        signature::verify(claim, &key).map_err(|failed| failed.1)
    });
    mapped(py, judged).map(Record::wrap)
}

/// Take a record of an author whose key is not known, as far as it proves itself: its addresses and its assertion id.
#[pyfunction]
pub fn address_only(py: Python<'_>, record: &Unverified) -> PyResult<Hearsay> {
    let claim = record.inner.clone();
    let judged = py.detach(|| signature::address_only(claim).map_err(|failed| failed.1));
    mapped(py, judged).map(|inner| Hearsay { inner: Arc::new(inner) })
}

/// Verify many records, each under its own key; return for each a `Record` or the `CoreError` that refused it.
#[pyfunction]
pub fn verify_batch<'py>(
    py: Python<'py>,
    records: Vec<Claim<'_>>,
    public_keys: Vec<[u8; 32]>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if records.len() != public_keys.len() {
        let detail = format!("verify_batch: {} records but {} keys", records.len(), public_keys.len());
        return Err(refused(py, &Refusal::new(Reason::InvalidArgument, detail)));
    }
    let claims: Vec<_> = records.iter().map(Claim::claim).collect();
    each(py, py.detach(|| judge(claims, &public_keys)))
}

/// Each record, or the error that refused it.
fn each(py: Python<'_>, made: Vec<Result<Verified, Refusal>>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    made.into_iter()
        .map(|result| match result {
            Ok(verified) => Ok(Bound::new(py, Record::wrap(verified))?.into_any()),
            Err(refusal) => Ok(refused(py, &refusal).into_value(py).into_bound(py).into_any()),
        })
        .collect()
}

fn judge(claims: Vec<record::Unverified>, public_keys: &[[u8; 32]]) -> Vec<Result<Verified, Refusal>> {
    let judge_one = |(claim, bytes): (record::Unverified, &[u8; 32])| {
        let key = keys::checked(*bytes)?;
        signature::verify(claim, &key).map_err(|failed| failed.1)
    };
    claims.into_iter().zip(public_keys).map(judge_one).collect()
}

fn category_named(py: Python<'_>, name: &str) -> PyResult<Category> {
    mapped(
        py,
        Category::from_name(name).ok_or_else(|| {
            let known = Category::ALL.map(Category::name).join(", ");
            Refusal::new(Reason::InvalidCategory, format!("category: `{name}` is not one of {known}"))
        }),
    )
}

/// Read a mapping from category names.
pub fn named<T>(py: Python<'_>, mapping: &Bound<'_, PyMapping>) -> PyResult<Vec<(Category, T)>>
where
    T: for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr>,
{
    let mut found = Vec::with_capacity(category::COUNT);
    for item in mapping.items()?.iter() {
        let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
        found.push((category_named(py, &name)?, value.extract::<T>()?));
    }
    Ok(found)
}

fn content_keys(py: Python<'_>, keys: &[String]) -> PyResult<Vec<ContentKey>> {
    keys.iter().map(|key| mapped(py, ContentKey::parse(key))).collect()
}
