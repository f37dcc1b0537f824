//! Python's view of a secure connection: bytes in and events out, with the GIL released around all of it.

use std::sync::{Arc, Mutex, PoisonError};

use covey_core::handshake::{self, Config, Entropy, Implementation, Role};
use covey_core::id::{ContentKey, NodeId};
use covey_core::record::Verified;
use covey_core::{Refusal, session};
use covey_engine::Engine;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::batch::RecordBatch;
use crate::errors::mapped;
use crate::identity::Identity;
use crate::record::Record;

/// One secure connection without its socket (MMP 2.0 §5.2, §18.2.1, update 1).
#[pyclass(frozen, module = "covey._core")]
pub struct Session {
    inner: Mutex<session::Session>,
}

impl Session {
    /// Run `work` on the session: the GIL goes first, the lock comes second, and no Python runs under it.
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut session::Session) -> T + Send) -> T {
        py.detach(|| work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Seal records in order: how many.
    pub fn seal(&self, py: Python<'_>, records: &[Arc<Verified>]) -> PyResult<usize> {
        let sent = self.with(py, |session| session.send_records(records.iter().map(AsRef::as_ref)));
        mapped(py, sent)
    }

    fn of(inner: session::Session) -> Self {
        Self { inner: Mutex::new(inner) }
    }
}

#[pymethods]
impl Session {
    /// Start as the dialler; the client-hello waits in `take_output`. `entropy` is 64 fresh random bytes.
    #[staticmethod]
    #[pyo3(signature = (identity, *, room, extensions=Vec::new(), implementation=None, entropy, expect_node_id=None))]
    fn client(
        py: Python<'_>,
        identity: &Identity,
        room: &str,
        extensions: Vec<String>,
        implementation: Option<(String, String)>,
        entropy: [u8; 64],
        expect_node_id: Option<&str>,
    ) -> PyResult<Self> {
        let expected = expect_node_id.map(|node_id| mapped(py, NodeId::parse(node_id))).transpose()?;
        let config = config(identity, room, extensions, implementation);
        let started = py.detach(|| session::Session::client(config, &Entropy::new(entropy), expected));
        mapped(py, started).map(Self::of)
    }

    /// Start as the listener. `entropy` is 64 fresh random bytes.
    #[staticmethod]
    #[pyo3(signature = (identity, *, room, extensions=Vec::new(), implementation=None, entropy))]
    fn server(
        py: Python<'_>,
        identity: &Identity,
        room: &str,
        extensions: Vec<String>,
        implementation: Option<(String, String)>,
        entropy: [u8; 64],
    ) -> PyResult<Self> {
        let config = config(identity, room, extensions, implementation);
        let started = py.detach(|| session::Session::server(config, &Entropy::new(entropy)));
        mapped(py, started).map(Self::of)
    }

    /// Take in what the socket read, in any portions, and return what happened, in order.
    fn receive<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let events = self.with(py, |session| Engine::of_machine().receive(session, data));
        events.into_iter().map(|event| python_event(py, event)).collect()
    }

    /// Take the bytes that wait to be written to the socket.
    fn take_output<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.with(py, session::Session::take_output))
    }

    /// Take in one frame of a transport that delimits messages itself (a relay's WebSocket), as `receive` does a stream.
    fn receive_message<'py>(&self, py: Python<'py>, frame: &[u8]) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let events = self.with(py, |session| session.receive_message(frame));
        events.into_iter().map(|event| python_event(py, event)).collect()
    }

    /// Take the frames that wait to be sent, one message each, without length prefixes.
    fn take_messages<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        let messages = self.with(py, session::Session::take_messages);
        messages.iter().map(|message| PyBytes::new(py, message)).collect()
    }

    /// Send `cmb-anchors`, the first thing a session sends: at most 50 keys of own records about to be replayed.
    #[pyo3(signature = (keys=Vec::new()))]
    fn send_anchors(&self, py: Python<'_>, keys: Vec<String>) -> PyResult<()> {
        let sent = self.with(py, |session| {
            let keys = keys.iter().map(|key| ContentKey::parse(key)).collect::<Result<Vec<_>, Refusal>>()?;
            session.send_anchors(&keys)
        });
        mapped(py, sent)
    }

    /// Seal one record for the peer; refuses one of another room or addressed to another node.
    fn send_record(&self, py: Python<'_>, record: &Record) -> PyResult<()> {
        let record = Arc::clone(&record.inner);
        let sent = self.with(py, |session| session.send_record(&record));
        mapped(py, sent)
    }

    /// Seal several records for the peer, in order, and return how many; all of them or, on a refusal, none.
    fn send_records(&self, py: Python<'_>, records: Vec<PyRef<'_, Record>>) -> PyResult<usize> {
        let records: Vec<Arc<Verified>> = records.iter().map(|record| Arc::clone(&record.inner)).collect();
        self.seal(py, &records)
    }

    /// Seal one control frame (a JSON object with a `type`) for the peer.
    fn send_control(&self, py: Python<'_>, frame: &[u8]) -> PyResult<()> {
        let sent = self.with(py, |session| session.send_control(frame));
        mapped(py, sent)
    }

    /// End the session: an open one leaves a sealed error in `take_output`, one in its handshake says nothing.
    fn close(&self, py: Python<'_>, code: u16, message: &str) -> PyResult<()> {
        let closed = self.with(py, |session| session.close(code, message));
        mapped(py, closed)
    }

    /// `handshake`, `open` or `closed`.
    #[getter]
    fn state(&self, py: Python<'_>) -> &'static str {
        self.with(py, |session| session.phase().as_str())
    }

    /// The proven peer, once there is one.
    #[getter]
    fn peer(&self, py: Python<'_>) -> Option<PeerHello> {
        self.with(py, |session| session.peer().cloned()).map(|inner| PeerHello { inner })
    }
}

/// A peer whose identity the handshake proved.
#[pyclass(frozen, module = "covey._core")]
pub struct PeerHello {
    inner: handshake::PeerHello,
}

#[pymethods]
impl PeerHello {
    #[getter]
    fn node_id(&self) -> String {
        self.inner.node_id.to_string()
    }
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }
    /// The 32 raw bytes of its identity key.
    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.public_key.as_bytes())
    }
    /// Name and version of its software, as it says.
    #[getter]
    fn implementation(&self) -> (&str, &str) {
        (&self.inner.implementation.name, &self.inner.implementation.version)
    }
    /// The extensions both sides offered, sorted.
    #[getter]
    fn extensions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.inner.extensions)
    }
    /// 32 hex digits that name this session.
    #[getter]
    fn session_id(&self) -> String {
        self.inner.session_id.to_string()
    }
    fn __repr__(&self) -> String {
        format!("PeerHello({} {})", self.inner.name, self.inner.node_id)
    }
}

/// Both proofs hold and the session is open.
#[pyclass(frozen, get_all, module = "covey._core")]
pub struct Authenticated {
    peer: Py<PeerHello>,
    role: &'static str,
}

/// Records that opened and parsed, at most 256; nothing about their authors is checked.
#[pyclass(frozen, get_all, module = "covey._core")]
pub struct Records {
    batch: Py<RecordBatch>,
}

/// One control frame inside its closed schema.
#[pyclass(frozen, module = "covey._core")]
pub struct Control {
    #[pyo3(get, name = "type")]
    pub kind: String,
    #[pyo3(get)]
    pub frame: Py<PyBytes>,
}

/// A frame this node has no use for; the session goes on.
#[pyclass(frozen, module = "covey._core")]
pub struct Ignored {
    #[pyo3(get)]
    pub reason: &'static str,
    #[pyo3(get, name = "type")]
    pub kind: String,
}

/// A frame that must not be acted on; the session goes on.
#[pyclass(frozen, get_all, module = "covey._core")]
pub struct Refused {
    pub reason: &'static str,
    pub detail: String,
}

/// The session is over: write `take_output()`, then close the socket.
#[pyclass(frozen, get_all, module = "covey._core")]
pub struct Closed {
    pub reason: &'static str,
    pub code: Option<u16>,
    pub detail: String,
}

fn config(
    identity: &Identity,
    room: &str,
    extensions: Vec<String>,
    implementation: Option<(String, String)>,
) -> Config {
    let (name, version) = implementation.unwrap_or_else(|| ("covey".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    Config {
        identity: Arc::new(identity.inner.clone()),
        room: room.to_owned(),
        implementation: Implementation { name, version },
        extensions,
    }
}

fn python_event(py: Python<'_>, event: session::Event) -> PyResult<Bound<'_, PyAny>> {
    use session::Event;
    Ok(match event {
        Event::Authenticated { peer, role } => {
            let role = match role {
                Role::Client => "client",
                Role::Server => "server",
            };
            let peer = Py::new(py, PeerHello { inner: *peer })?;
            Bound::new(py, Authenticated { peer, role })?.into_any()
        }
        Event::Records(batch) => {
            let batch = Py::new(py, RecordBatch::wrap(batch))?;
            Bound::new(py, Records { batch })?.into_any()
        }
        Event::Control { kind, frame } => {
            let frame = PyBytes::new(py, &frame).unbind();
            Bound::new(py, Control { kind, frame })?.into_any()
        }
        Event::Ignored { reason, kind } => Bound::new(py, Ignored { reason: reason.as_str(), kind })?.into_any(),
        Event::Refused(refusal) => {
            let Refusal { reason, detail } = refusal;
            Bound::new(py, Refused { reason: reason.as_str(), detail })?.into_any()
        }
        Event::Closed(closed) => {
            let session::Closed { reason, code, detail } = closed;
            Bound::new(py, Closed { reason, code, detail })?.into_any()
        }
    })
}

/// Put this room's classes into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Session>()?;
    module.add_class::<PeerHello>()?;
    module.add_class::<Authenticated>()?;
    module.add_class::<Records>()?;
    module.add_class::<Control>()?;
    module.add_class::<Ignored>()?;
    module.add_class::<Refused>()?;
    module.add_class::<Closed>()
}
