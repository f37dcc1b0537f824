//! Python's view of invites.

use covey_core::grant::RoomGrant;
use covey_core::invite::{self, Terms};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::mapped;
use crate::identity::Identity;

/// One line that says where a room is, who invites, and how to get there; its signature holds (docs/protocol.md).
#[pyclass(frozen, module = "covey._core")]
pub struct Invite {
    inner: invite::Invite,
}

#[pymethods]
impl Invite {
    /// Sign an invite for at most thirty days. Times are milliseconds; the id is 16 unpredictable bytes.
    #[staticmethod]
    #[pyo3(signature = (inviter, *, room, relays, token, addresses, owner_key, grant, created_ms, expires_ms, invite_id, once))]
    #[allow(clippy::too_many_arguments)] // each is one member of what is signed, by name
    fn sign(
        py: Python<'_>,
        inviter: &Identity,
        room: String,
        relays: Vec<String>,
        token: Option<String>,
        addresses: Vec<String>,
        owner_key: Option<[u8; 32]>,
        grant: Option<&[u8]>,
        created_ms: u64,
        expires_ms: u64,
        invite_id: [u8; 16],
        once: bool,
    ) -> PyResult<Self> {
        let signed = grant.map(RoomGrant::parse).transpose().and_then(|grant| {
            let owner = owner_key;
            let id = invite_id;
            let terms = Terms { room, relays, token, addresses, owner, grant, created_ms, expires_ms, id, once };
            invite::Invite::sign(&inviter.inner, terms)
        });
        mapped(py, signed).map(|inner| Self { inner })
    }

    /// Read an invite out of a line, and check its signature.
    #[staticmethod]
    fn parse(py: Python<'_>, line: &str) -> PyResult<Self> {
        mapped(py, invite::Invite::parse(line)).map(|inner| Self { inner })
    }

    /// Refuse an invite that has ended, or was made ahead of the clock.
    fn check_time(&self, py: Python<'_>, now_ms: u64) -> PyResult<()> {
        mapped(py, self.inner.check_time(now_ms))
    }

    #[getter]
    fn line(&self) -> String {
        self.inner.to_line()
    }
    #[getter]
    fn node_id(&self) -> String {
        self.inner.inviter().to_string()
    }
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }
    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.key().as_bytes())
    }
    #[getter]
    fn fingerprint(&self) -> String {
        self.inner.key().fingerprint()
    }
    #[getter]
    fn room(&self) -> &str {
        &self.inner.terms().room
    }
    #[getter]
    fn relays(&self) -> Vec<String> {
        self.inner.terms().relays.clone()
    }
    #[getter]
    fn token(&self) -> Option<&str> {
        self.inner.terms().token.as_deref()
    }
    #[getter]
    fn addresses(&self) -> Vec<String> {
        self.inner.terms().addresses.clone()
    }
    #[getter]
    fn owner_key<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.inner.terms().owner.as_ref().map(|owner| PyBytes::new(py, owner))
    }
    /// The owner's grant as JSON bytes.
    #[getter]
    fn grant<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.inner.terms().grant.as_ref().map(|grant| PyBytes::new(py, &grant.to_json()))
    }
    #[getter]
    fn created_ms(&self) -> u64 {
        self.inner.terms().created_ms
    }
    #[getter]
    fn expires_ms(&self) -> u64 {
        self.inner.terms().expires_ms
    }
    #[getter]
    fn invite_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.terms().id)
    }
    #[getter]
    fn once(&self) -> bool {
        self.inner.terms().once
    }
}
