//! Python's view of keys and identities. Secrets go in and never come out.

use covey_core::id::NodeId;
use covey_core::identity;
use covey_core::signature;
use covey_core::statement;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::mapped;
use crate::keys;

/// An Ed25519 signing key, made of a 32-byte seed.
#[pyclass(frozen, module = "covey._core")]
pub struct SigningKey {
    pub inner: identity::SigningKey,
}

#[pymethods]
impl SigningKey {
    #[new]
    fn new(py: Python<'_>, seed: [u8; 32]) -> PyResult<Self> {
        mapped(py, identity::SigningKey::from_seed(&seed)).map(|inner| Self { inner })
    }
    /// The 32 raw bytes of the public key.
    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.public().as_bytes())
    }
    fn __repr__(&self) -> String {
        format!("SigningKey(public {})", self.inner.public())
    }
}

/// Who a node is: its id, its name, its signing key (MMP 2.0 §3).
#[pyclass(frozen, module = "covey._core")]
pub struct Identity {
    pub inner: identity::Identity,
}

#[pymethods]
impl Identity {
    #[new]
    fn new(py: Python<'_>, node_id: &str, name: &str, seed: [u8; 32]) -> PyResult<Self> {
        let made = NodeId::parse(node_id).and_then(|node_id| {
            identity::SigningKey::from_seed(&seed).and_then(|key| identity::Identity::new(node_id, name, key))
        });
        mapped(py, made).map(|inner| Self { inner })
    }
    #[getter]
    fn node_id(&self) -> String {
        self.inner.node_id().to_string()
    }
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }
    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.key().public().as_bytes())
    }
    /// The author of shared state that this key is, as a UUID; it follows from the key alone.
    #[getter]
    fn author(&self) -> String {
        self.inner.key().public().author().to_string()
    }
    /// Sign `body` as a statement of covey's own, of this kind (a token); 64 bytes.
    ///
    /// Raises:
    ///     CoreError: invalid_argument where the kind is no token.
    fn sign_statement<'py>(&self, py: Python<'py>, kind: &str, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        mapped(py, statement::sign(kind, body, self.inner.key())).map(|signature| PyBytes::new(py, &signature))
    }
    /// SHA-256 of the raw public key, 64 hex digits: what people compare.
    #[getter]
    fn fingerprint(&self) -> String {
        self.inner.key().public().fingerprint()
    }
    fn __repr__(&self) -> String {
        format!("Identity({} {})", self.inner.name(), self.inner.node_id())
    }
}

/// Verify an Ed25519 signature over any bytes by the one strict rule (update 1, §18.3.2).
///
/// Raises:
///     CoreError: invalid_key or bad_signature.
#[pyfunction]
pub fn verify_signature(py: Python<'_>, message: &[u8], signature: [u8; 64], public_key: [u8; 32]) -> PyResult<()> {
    let judged = py.detach(|| signature::verify_bytes(message, &signature, &keys::checked(public_key)?));
    mapped(py, judged)
}

/// Verify a statement of covey's own, of this kind, under the key of who is said to have made it.
///
/// Raises:
///     CoreError: invalid_key, bad_signature, or the kind is no token.
#[pyfunction]
pub fn verify_statement(
    py: Python<'_>,
    kind: &str,
    body: &[u8],
    signature: [u8; 64],
    public_key: [u8; 32],
) -> PyResult<()> {
    let judged = py.detach(|| statement::verify(kind, body, &signature, &keys::checked(public_key)?));
    mapped(py, judged)
}

/// Return the author of shared state that a public key (32 bytes) is, as a UUID.
///
/// Raises:
///     CoreError: invalid_key.
#[pyfunction]
pub fn author_of(py: Python<'_>, public_key: [u8; 32]) -> PyResult<String> {
    mapped(py, keys::checked(public_key)).map(|key| key.author().to_string())
}
