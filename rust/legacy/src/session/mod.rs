//! One connection to a stock peer: bytes in and events out, the shape of the core's session without its proofs.
//!
//! Rules: the peer is what it claims, from its one handshake frame on; no later frame changes a key or a name. A
//! record leaves with its standing. Nothing is sent in clear but the handshake and the answer to a fetch, which this
//! wire has no other form for; and never a `mood`, which kills the stock process. Stricter than a stock peer where
//! that costs no interop: a bad length ends the connection, another room is refused at the handshake, and who has
//! signed once is not heard unsigned.

mod event;
mod frames;
mod hello;
mod machine;
mod memory;
#[cfg(test)]
mod tests;

use std::mem;

use covey_core::Refusal;
use covey_core::frame::{self, Decoder};
use covey_core::id::NodeId;
use covey_core::limits::MAX_FRAME_BYTES;
use covey_core::record::Verified;
use covey_core::session::Phase;

pub use event::{Event, Heard};
pub use hello::{Claimed, Config};

use machine::Machine;

/// One connection to a stock peer, without the socket.
pub struct Session {
    decoder: Decoder,
    machine: Machine,
}

impl Session {
    /// Start as the dialler: the handshake waits in [`Session::take_output`].
    ///
    /// `expected` is the node id that was dialled; any other that answers is refused.
    ///
    /// # Errors
    /// The handshake does not fit a frame.
    pub fn client(config: Config, entropy: [u8; 32], expected: Option<NodeId>) -> Result<Self, Refusal> {
        let mut machine = Machine::new(config, entropy, expected);
        machine.greet()?;
        Ok(Self { decoder: Decoder::new(), machine })
    }

    /// Start as the listener: it says nothing before the peer's handshake.
    pub fn server(config: Config, entropy: [u8; 32]) -> Self {
        Self { decoder: Decoder::new(), machine: Machine::new(config, entropy, None) }
    }

    /// Take in what the socket read, in any portions.
    pub fn receive(&mut self, data: &[u8]) -> Vec<Event> {
        let (mut events, mut input) = (Vec::new(), data);
        while self.machine.phase != Phase::Closed {
            match self.decoder.next(&mut input, self.machine.frame_limit()) {
                Ok(Some(frame)) => self.machine.receive(frame, &mut events),
                Ok(None) => return events,
                Err(refusal) => self.machine.fail(&refusal, &mut events),
            }
        }
        self.decoder = Decoder::new();
        events
    }

    /// Take in one message of a relay's: a frame without its length. A connection is fed portions of a stream or whole
    /// messages, never both.
    pub fn receive_message(&mut self, frame: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        if self.machine.phase != Phase::Closed {
            match frame::check_length(frame.len(), self.machine.frame_limit()) {
                Ok(()) => self.machine.receive(frame, &mut events),
                Err(refusal) => self.machine.fail(&refusal, &mut events),
            }
        }
        events
    }

    /// Take the frames that wait to be sent, in order and without their lengths: one message each.
    pub fn take_messages(&mut self) -> Vec<Vec<u8>> {
        let output = self.take_output();
        let (mut stream, mut cut, mut messages) = (&output[..], Decoder::new(), Vec::new());
        // What was written are whole frames within bounds, so the stream ends where a frame ends.
        while let Ok(Some(frame)) = cut.next(&mut stream, MAX_FRAME_BYTES) {
            messages.push(frame.to_vec());
        }
        messages
    }

    /// Take the bytes that wait to be written to the socket, in order.
    pub fn take_output(&mut self) -> Vec<u8> {
        mem::take(&mut self.machine.output)
    }

    /// Say an own record to the peer, sealed and signed in its form. `anchor` marks one of the recent records that a
    /// new connection starts with.
    ///
    /// # Errors
    /// Not open; another author's record, another room's, or one addressed to another node; or the peer showed no
    /// key to seal for. Nothing was written.
    pub fn send_record(&mut self, record: &Verified, anchor: bool) -> Result<(), Refusal> {
        self.machine.send_record(record, anchor)
    }

    /// Ask the peer for one record by its address.
    ///
    /// # Errors
    /// Not open, or an id or address outside their bounds.
    pub fn send_fetch(&mut self, request_id: &str, key: &str, now_ms: u64) -> Result<(), Refusal> {
        self.machine.send_fetch(request_id, key, now_ms)
    }

    /// Answer a fetch, in clear as this wire has it: with an own broadcast record, or with having none.
    ///
    /// # Errors
    /// Not open, or a record that may not be shown: another author's, another room's, or a directed one.
    pub fn send_fetched(
        &mut self,
        request_id: &str,
        key: &str,
        record: Option<&Verified>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        self.machine.send_fetched(request_id, key, record, now_ms)
    }

    /// Send `ping` or `pong`.
    ///
    /// # Errors
    /// Not open, or any other type; `mood` above all.
    pub fn send_control(&mut self, kind: &str) -> Result<(), Refusal> {
        self.machine.send_control(kind)
    }

    /// End the connection. This wire says nothing at its end.
    pub fn close(&mut self) {
        self.decoder = Decoder::new();
        self.machine.phase = Phase::Closed;
    }

    /// Where the connection stands.
    pub const fn phase(&self) -> Phase {
        self.machine.phase
    }

    /// Who the peer says it is, once it has said so.
    pub fn peer(&self) -> Option<&Claimed> {
        self.machine.peer.as_deref()
    }
}
