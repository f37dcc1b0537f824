//! Python's view of a relay's envelopes: read where they are routed, their payloads untouched.

use covey_core::routing::{Message, peek};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::mapped;

/// One message between a relay and its client (MMP 2.0 §4.4.4).
#[pyclass(frozen, get_all, module = "covey._core")]
pub struct RelayMessage {
    /// `relay-…` for a frame of the relay's own, None for an envelope.
    r#type: Option<String>,
    /// Whom a client's envelope is for; None is everybody.
    to: Option<String>,
    /// Who sent a forwarded envelope, as the relay says.
    from_id: Option<String>,
    /// That node's name, as the relay says.
    from_name: Option<String>,
    /// The frame inside an envelope, byte for byte.
    payload: Option<Py<PyBytes>>,
}

/// Read one WebSocket text message; raises CoreError when it is neither a relay frame nor an envelope.
#[pyfunction]
pub fn relay_message(py: Python<'_>, message: &[u8]) -> PyResult<RelayMessage> {
    let read = mapped(py, py.detach(|| Message::read(message)))?;
    let lent = |payload: &str| Some(PyBytes::new(py, payload.as_bytes()).unbind());
    let empty = RelayMessage { r#type: None, to: None, from_id: None, from_name: None, payload: None };
    Ok(match read {
        Message::Relay(kind) => RelayMessage { r#type: Some(kind.into_owned()), ..empty },
        Message::Outbound { to, payload } => {
            RelayMessage { to: to.map(std::borrow::Cow::into_owned), payload: lent(payload), ..empty }
        }
        Message::Inbound { from, from_name, payload } => RelayMessage {
            from_id: Some(from.into_owned()),
            from_name: Some(from_name.into_owned()),
            payload: lent(payload),
            ..empty
        },
    })
}

/// Return the `type` and the `sessionId` (None where it names none) of a frame that is for us.
#[pyfunction]
pub fn peek_frame(py: Python<'_>, frame: &[u8]) -> PyResult<(String, Option<String>)> {
    let seen = mapped(py, peek(frame))?;
    Ok((seen.kind.into_owned(), seen.session_id.map(std::borrow::Cow::into_owned)))
}
