//! Python's view of a connection to a stock Node peer: the shape of `Session`, with claims where that has proofs.

use std::sync::{Arc, Mutex, PoisonError};

use covey_core::Refusal;
use covey_core::category::Category;
use covey_core::handshake::Role;
use covey_core::hash::hex;
use covey_core::id::NodeId;
use covey_core::record::Verified;
use covey_legacy::address;
use covey_legacy::seal::AgreementKey;
use covey_legacy::session::{self, Claimed, Config, Event, Heard};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyTuple};

use crate::batch::RecordBatch;
use crate::errors::mapped;
use crate::identity::Identity;
use crate::record::{Record, texts};
use crate::session::{Closed, Control, Ignored, Refused};

/// One connection to a stock Node peer 0.12, without its socket. Nothing about the peer is proven.
#[pyclass(frozen, module = "covey._core")]
pub struct LegacySession {
    inner: Mutex<session::Session>,
}

impl LegacySession {
    /// Run `work` on the session: the GIL goes first, the lock comes second, and no Python runs under it.
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut session::Session) -> T + Send) -> T {
        py.detach(|| work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn of(inner: session::Session) -> Self {
        Self { inner: Mutex::new(inner) }
    }
}

#[pymethods]
impl LegacySession {
    /// Start as the dialler; the handshake waits in `take_output`.
    ///
    /// `secret` is this run's agreement key, the same for every connection; `entropy` is 32 fresh random bytes.
    #[staticmethod]
    #[pyo3(signature = (identity, *, room, secret, entropy, expect_node_id=None))]
    fn client(
        py: Python<'_>,
        identity: &Identity,
        room: &str,
        secret: [u8; 32],
        entropy: [u8; 32],
        expect_node_id: Option<&str>,
    ) -> PyResult<Self> {
        let expected = expect_node_id.map(|node_id| mapped(py, NodeId::parse(node_id))).transpose()?;
        let config = config(identity, room, secret);
        mapped(py, py.detach(|| session::Session::client(config, entropy, expected))).map(Self::of)
    }

    /// Start as the listener; it says nothing before the peer's handshake.
    #[staticmethod]
    #[pyo3(signature = (identity, *, room, secret, entropy))]
    fn server(identity: &Identity, room: &str, secret: [u8; 32], entropy: [u8; 32]) -> Self {
        Self::of(session::Session::server(config(identity, room, secret), entropy))
    }

    /// Take in what the socket read, in any portions, and return what happened, in order.
    fn receive<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let events = self.with(py, |session| session.receive(data));
        events.into_iter().map(|event| python_event(py, event)).collect()
    }

    /// Take in one message of a relay's: a frame without its length. Such a connection gets no `receive`.
    fn receive_message<'py>(&self, py: Python<'py>, frame: &[u8]) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let events = self.with(py, |session| session.receive_message(frame));
        events.into_iter().map(|event| python_event(py, event)).collect()
    }

    /// Take the frames that wait to be sent, one message each, without their lengths.
    fn take_messages<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        let messages = self.with(py, session::Session::take_messages);
        messages.iter().map(|message| PyBytes::new(py, message)).collect()
    }

    /// Take the bytes that wait to be written to the socket.
    fn take_output<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.with(py, session::Session::take_output))
    }

    /// Say an own record to the peer, sealed and signed in its form; parents of the peer's own are left out.
    #[pyo3(signature = (record, *, anchor=false))]
    fn send_record(&self, py: Python<'_>, record: &Record, anchor: bool) -> PyResult<()> {
        let record = Arc::clone(&record.inner);
        let sent = self.with(py, |session| session.send_record(&record, anchor));
        mapped(py, sent)
    }

    /// Ask the peer for one record by its address.
    #[pyo3(signature = (request_id, key, *, now_ms))]
    fn send_fetch(&self, py: Python<'_>, request_id: &str, key: &str, now_ms: u64) -> PyResult<()> {
        let sent = self.with(py, |session| session.send_fetch(request_id, key, now_ms));
        mapped(py, sent)
    }

    /// Answer a fetch, in clear as that wire has it: with an own broadcast record, or with having none.
    #[pyo3(signature = (request_id, key, record=None, *, now_ms))]
    fn send_fetched(
        &self,
        py: Python<'_>,
        request_id: &str,
        key: &str,
        record: Option<&Record>,
        now_ms: u64,
    ) -> PyResult<()> {
        let record = record.map(|record| Arc::clone(&record.inner));
        let record: Option<&Verified> = record.as_deref();
        let sent = self.with(py, |session| session.send_fetched(request_id, key, record, now_ms));
        mapped(py, sent)
    }

    /// Send `ping` or `pong`; every other type is refused, `mood` above all.
    #[pyo3(signature = (r#type))]
    fn send_control(&self, py: Python<'_>, r#type: &str) -> PyResult<()> {
        let sent = self.with(py, |session| session.send_control(r#type));
        mapped(py, sent)
    }

    /// End the connection; that wire says nothing at its end.
    fn close(&self, py: Python<'_>) {
        self.with(py, session::Session::close);
    }

    /// `handshake`, `open` or `closed`.
    #[getter]
    fn state(&self, py: Python<'_>) -> &'static str {
        self.with(py, |session| session.phase().as_str())
    }

    /// Who the peer says it is, once it has said so.
    #[getter]
    fn peer(&self, py: Python<'_>) -> Option<LegacyPeer> {
        self.with(py, |session| session.peer().cloned()).map(|inner| LegacyPeer { inner })
    }
}

/// Who a stock peer says it is. Anybody can say it.
#[pyclass(frozen, module = "covey._core")]
pub struct LegacyPeer {
    inner: Claimed,
}

#[pymethods]
impl LegacyPeer {
    #[getter]
    fn node_id(&self) -> String {
        self.inner.node_id.to_string()
    }
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }
    /// The 32 raw bytes of the key it says signs its records.
    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.public_key.as_bytes())
    }
    /// Whether it showed a key to seal for; without one nothing is sent to it.
    #[getter]
    fn seals(&self) -> bool {
        self.inner.agreement.is_some()
    }
    fn __repr__(&self) -> String {
        format!("LegacyPeer({} {})", self.inner.name, self.inner.node_id)
    }
}

/// A record of the 0.12 wire: its address holds, and `standing` is how far it can be believed.
#[pyclass(frozen, module = "covey._core")]
pub struct LegacyRecord {
    inner: Heard,
}

#[pymethods]
impl LegacyRecord {
    /// The address it carries: `cmb-` or `cmb1-` and 64 hex digits.
    #[getter]
    fn key(&self) -> &str {
        &self.inner.record.key
    }
    /// The address that MMP 2.0 gives to the same texts.
    #[getter]
    fn content_key(&self) -> String {
        self.inner.record.content_key().to_string()
    }
    /// The author's name, which is all of an author that wire has.
    #[getter]
    fn author(&self) -> &str {
        &self.inner.record.author_label
    }
    #[getter]
    fn created_ms(&self) -> u64 {
        self.inner.record.created_ms
    }
    #[getter]
    fn room(&self) -> Option<&str> {
        self.inner.record.room.as_deref()
    }
    #[getter]
    fn to(&self) -> Option<&str> {
        self.inner.record.to.as_deref()
    }
    #[getter]
    fn parents<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.inner.record.parents)
    }
    #[getter]
    fn categories<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let texts = PyDict::new(py);
        for category in Category::ALL {
            texts.set_item(category.name(), self.inner.record.text(category))?;
        }
        Ok(texts)
    }
    /// `signed` (by the key its bringer showed, in its own name), `foreign` (by somebody unknown) or `unsigned`.
    #[getter]
    fn standing(&self) -> &'static str {
        self.inner.standing.as_str()
    }
    /// How the address was derived: block-v2, root-v1, remix-v1 or cmb1.
    #[getter]
    fn scheme(&self) -> &'static str {
        self.inner.scheme.as_str()
    }
    /// Signed for this node.
    #[getter]
    fn directed(&self) -> bool {
        self.inner.directed
    }
    /// Context that a connection starts with, not news.
    #[getter]
    fn anchor(&self) -> bool {
        self.inner.anchor
    }
    fn __repr__(&self) -> String {
        let record = &self.inner.record;
        format!("LegacyRecord({}, by {}, {})", record.key, record.author_label, self.inner.standing.as_str())
    }
}

/// The peer said who it is; the connection is open and nothing is proven.
#[pyclass(frozen, get_all, module = "covey._core")]
pub struct LegacyClaimed {
    peer: Py<LegacyPeer>,
    role: &'static str,
}

/// Records of this room for this node, at most 256.
#[pyclass(frozen, get_all, module = "covey._core")]
pub struct LegacyRecords {
    records: Py<PyTuple>,
    /// The signed ones of them, on their way to `Intake.evaluate`.
    batch: Py<RecordBatch>,
}

/// The peer asks for a record.
#[pyclass(frozen, get_all, module = "covey._core")]
pub struct LegacyFetch {
    request_id: String,
    key: String,
}

/// The peer answers a fetch.
#[pyclass(frozen, get_all, module = "covey._core")]
pub struct LegacyFetched {
    request_id: String,
    key: String,
    record: Option<Py<LegacyRecord>>,
}

fn config(identity: &Identity, room: &str, secret: [u8; 32]) -> Config {
    let identity = Arc::new(identity.inner.clone());
    Config { identity, room: room.to_owned(), agreement: AgreementKey::new(secret) }
}

fn python_event(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    Ok(match event {
        Event::Claimed { peer, role } => {
            let role = match role {
                Role::Client => "client",
                Role::Server => "server",
            };
            let peer = Py::new(py, LegacyPeer { inner: *peer })?;
            Bound::new(py, LegacyClaimed { peer, role })?.into_any()
        }
        Event::Records(records) => {
            let heard = records.iter().filter_map(|heard| heard.hearsay.clone()).collect();
            let batch = Py::new(py, RecordBatch::hearsay(heard))?;
            let records: Vec<_> =
                records.into_iter().map(|inner| Py::new(py, LegacyRecord { inner })).collect::<PyResult<_>>()?;
            let records = PyTuple::new(py, records)?.unbind();
            Bound::new(py, LegacyRecords { records, batch })?.into_any()
        }
        Event::Fetch { request_id, key } => Bound::new(py, LegacyFetch { request_id, key })?.into_any(),
        Event::Fetched { request_id, key, record } => {
            let record = record.map(|inner| Py::new(py, LegacyRecord { inner: *inner })).transpose()?;
            Bound::new(py, LegacyFetched { request_id, key, record })?.into_any()
        }
        Event::Control { kind, frame } => {
            let frame = PyBytes::new(py, &frame).unbind();
            Bound::new(py, Control { kind, frame })?.into_any()
        }
        Event::Ignored { reason, kind } => Bound::new(py, Ignored { reason: reason.as_str(), kind })?.into_any(),
        Event::Refused(Refusal { reason, detail }) => {
            Bound::new(py, Refused { reason: reason.as_str(), detail })?.into_any()
        }
        Event::Closed(covey_core::session::Closed { reason, code, detail }) => {
            Bound::new(py, Closed { reason, code, detail })?.into_any()
        }
    })
}

/// Return the `cmb1-` address of MMP 1.1 (§8.2.1): of a root, or of a remix with its parents and its receiver.
/// Absent and empty categories count as "neutral".
#[pyfunction]
#[pyo3(signature = (categories, *, parents=Vec::new(), receiver=None))]
pub fn legacy_key(
    py: Python<'_>,
    categories: &Bound<'_, PyMapping>,
    parents: Vec<String>,
    receiver: Option<&str>,
) -> PyResult<String> {
    let texts = texts(py, categories)?;
    let texts = texts.each_ref().map(String::as_str);
    let digest =
        if parents.is_empty() { address::flat_root(texts) } else { address::flat_remix(texts, &parents, receiver) };
    Ok(format!("cmb1-{}", hex(&digest)))
}

/// Put this room's classes and functions into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(legacy_key, module)?)?;
    module.add_class::<LegacySession>()?;
    module.add_class::<LegacyPeer>()?;
    module.add_class::<LegacyRecord>()?;
    module.add_class::<LegacyClaimed>()?;
    module.add_class::<LegacyRecords>()?;
    module.add_class::<LegacyFetch>()?;
    module.add_class::<LegacyFetched>()
}
