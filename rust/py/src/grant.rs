//! Python's view of room-join grants.

use covey_core::grant::{self, Presented};
use covey_core::id::NodeId;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::mapped;
use crate::identity::Identity;
use crate::keys;

/// An owner's signed word that a node, under its key, may enter a gated room (update 1, §5.8.1).
#[pyclass(frozen, module = "covey._core")]
pub struct RoomGrant {
    inner: grant::RoomGrant,
}

#[pymethods]
impl RoomGrant {
    /// Sign a grant for at most 24 hours. Times are milliseconds.
    #[staticmethod]
    #[pyo3(signature = (owner, *, room, node_id, public_key, granted_ms, expires_ms))]
    fn sign(
        py: Python<'_>,
        owner: &Identity,
        room: &str,
        node_id: &str,
        public_key: [u8; 32],
        granted_ms: u64,
        expires_ms: u64,
    ) -> PyResult<Self> {
        let signed = keys::checked(public_key).and_then(|key| {
            grant::RoomGrant::sign(&owner.inner, room, (NodeId::parse(node_id)?, &key), granted_ms, expires_ms)
        });
        mapped(py, signed).map(|inner| Self { inner })
    }

    /// Read a grant from JSON bytes, as its owner handed it out. No signature is checked.
    #[staticmethod]
    fn parse(py: Python<'_>, json: &[u8]) -> PyResult<Self> {
        mapped(py, grant::RoomGrant::parse(json)).map(|inner| Self { inner })
    }

    /// Read the grant of a `room-join` frame. No signature is checked.
    #[staticmethod]
    fn parse_frame(py: Python<'_>, json: &[u8]) -> PyResult<Self> {
        mapped(py, grant::RoomGrant::parse_frame(json)).map(|inner| Self { inner })
    }

    /// Check the grant under the pinned owner's key, against what the session proved.
    #[pyo3(signature = (owner_key, *, room, node_id, public_key, now_ms))]
    fn verify(
        &self,
        py: Python<'_>,
        owner_key: [u8; 32],
        room: &str,
        node_id: &str,
        public_key: [u8; 32],
        now_ms: u64,
    ) -> PyResult<()> {
        let verified = (|| {
            let key = keys::checked(public_key)?;
            let presented = Presented { room, node_id: NodeId::parse(node_id)?, key: &key, now_ms };
            self.inner.verify(&keys::checked(owner_key)?, presented)
        })();
        mapped(py, verified)
    }

    #[getter]
    fn room(&self) -> &str {
        self.inner.room()
    }
    /// The node it is for.
    #[getter]
    fn grantee(&self) -> String {
        self.inner.grantee().to_string()
    }
    /// When a session admitted by it ends, in the receiver's milliseconds: its expiry and the allowed skew.
    #[getter]
    fn closes_ms(&self) -> u64 {
        self.inner.closes_at()
    }
    /// Return the grant as JSON bytes.
    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.to_json())
    }
    /// Return the frame that presents it.
    fn to_frame<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.to_frame())
    }
}
