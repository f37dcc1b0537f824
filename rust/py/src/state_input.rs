//! What Python hands to shared state: keys of authors, how far bytes are believed, and what is to be written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use covey_core::Refusal;
use covey_core::error::Reason;
use covey_core::id::NodeId;
use covey_core::identity::PublicKey;
use covey_core::state::{Change, Check, Write};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMapping};

use crate::errors::mapped;
use crate::keys::checked;

/// The keys of authors, each checked once. Safe to use from any thread.
#[pyclass(frozen, module = "covey._core")]
pub struct AuthorKeys {
    inner: Mutex<Arc<BTreeMap<NodeId, PublicKey>>>,
}

impl AuthorKeys {
    fn held(&self) -> Arc<BTreeMap<NodeId, PublicKey>> {
        Arc::clone(&self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl AuthorKeys {
    #[new]
    fn new() -> Self {
        Self { inner: Mutex::new(Arc::new(BTreeMap::new())) }
    }
    /// Hold a public key (32 bytes); return the author it is. A key that is held already costs nothing.
    ///
    /// Raises:
    ///     CoreError: invalid_key.
    fn add(&self, py: Python<'_>, public_key: [u8; 32]) -> PyResult<String> {
        let key = mapped(py, checked(public_key))?;
        let author = key.author();
        Arc::make_mut(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner)).insert(author, key);
        Ok(author.to_string())
    }
    /// Return the public key of an author, or None.
    fn key<'py>(&self, py: Python<'py>, author: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let author = mapped(py, NodeId::parse(author))?;
        Ok(self.held().get(&author).map(|key| PyBytes::new(py, key.as_bytes())))
    }
    /// The authors that are held, sorted.
    #[getter]
    fn authors(&self) -> Vec<String> {
        self.held().keys().map(ToString::to_string).collect()
    }
    fn __contains__(&self, py: Python<'_>, author: &str) -> PyResult<bool> {
        let author = mapped(py, NodeId::parse(author))?;
        Ok(self.held().contains_key(&author))
    }
    fn __len__(&self) -> usize {
        self.held().len()
    }
}

/// Keys as a caller gives them: by nodeId, or held as authors.
#[derive(FromPyObject)]
pub enum Keys<'py> {
    Held(PyRef<'py, AuthorKeys>),
    Given(Bound<'py, PyMapping>),
}

/// Keys bound to authors, and the time; none when the bytes are trusted.
pub struct Believed(Option<(Arc<BTreeMap<NodeId, PublicKey>>, u64)>);

impl Believed {
    pub fn read(py: Python<'_>, keys: Option<Keys<'_>>, now_ms: Option<u64>) -> PyResult<Self> {
        let Some(keys) = keys else { return Ok(Self(None)) };
        let missing = || Refusal::new(Reason::InvalidArgument, "now_ms: needed to verify under keys");
        let now_ms = mapped(py, now_ms.ok_or_else(missing))?;
        let given = match keys {
            Keys::Held(held) => return Ok(Self(Some((held.held(), now_ms)))),
            Keys::Given(given) => given,
        };
        let mut bound = BTreeMap::new();
        for item in given.items()?.iter() {
            let (node_id, key): (String, [u8; 32]) = item.extract()?;
            bound.insert(mapped(py, NodeId::parse(&node_id))?, mapped(py, checked(key))?);
        }
        Ok(Self(Some((Arc::new(bound), now_ms))))
    }

    pub fn with<T>(&self, work: impl FnOnce(Check<'_>) -> T) -> T {
        match &self.0 {
            None => work(Check::Trusted),
            Some((bound, now_ms)) => {
                let key = |author: NodeId| bound.get(&author).copied();
                work(Check::Verify { key: &key, now_ms: *now_ms })
            }
        }
    }
}

pub fn writes(py: Python<'_>, given: Vec<(String, String, Option<Bound<'_, PyAny>>)>) -> PyResult<Vec<Write>> {
    let mut made = Vec::with_capacity(given.len());
    for (verb, name, value) in given {
        let bytes = || match &value {
            Some(value) => value.extract::<Vec<u8>>(),
            None => Ok(Vec::new()),
        };
        made.push(match verb.as_str() {
            "put" => Write::Bytes(name, bytes()?),
            "put_json" => Write::Json(name, bytes()?),
            "delete" => Write::Delete(name),
            "count" => Write::Count(name, value.map_or(Ok(0), |value| value.extract())?),
            "grant" | "spend" | "give" => budget(py, &verb, name, value.as_ref())?,
            "add" => Write::Add(name, bytes()?),
            "remove" => Write::Remove(name, bytes()?),
            _ => {
                let detail = format!(
                    "write: expected put, put_json, delete, count, add, remove, grant, spend or give, got {verb}"
                );
                return mapped(py, Err(Refusal::new(Reason::InvalidArgument, detail)));
            }
        });
    }
    Ok(made)
}

/// Read a change of a budget: (issuer, amount), and for what is given (issuer, to, amount).
fn budget(py: Python<'_>, verb: &str, name: String, value: Option<&Bound<'_, PyAny>>) -> PyResult<Write> {
    let missing = || Refusal::new(Reason::InvalidArgument, format!("{verb}: expected the issuer and an amount"));
    let value = mapped(py, value.ok_or_else(missing))?;
    if verb == "give" {
        let (issuer, to, amount): (String, String, u64) = value.extract()?;
        let (issuer, to) = (mapped(py, NodeId::parse(&issuer))?, mapped(py, NodeId::parse(&to))?);
        return Ok(Write::Budget(name, issuer, Change::Give(to, amount)));
    }
    let (issuer, amount): (String, u64) = value.extract()?;
    let change = if verb == "grant" { Change::Grant(amount) } else { Change::Spend(amount) };
    Ok(Write::Budget(name, mapped(py, NodeId::parse(&issuer))?, change))
}
