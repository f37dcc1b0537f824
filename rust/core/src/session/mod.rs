//! One secure connection: bytes in and events out, events in and bytes out (composes frame, handshake, seal, record).
//!
//! Rules: nothing about an author is verified here; a record leaves as `Unverified`. The order of records and control
//! frames is the order of the stream, however it was cut. What an unproven peer sends is fatal when it is wrong; on
//! an open session only the framing, a gap in the sequence and a sealed error end it, everything else is refused or
//! ignored by itself, and counted by the node.

#[cfg(test)]
mod carried_tests;
#[cfg(test)]
mod compact_tests;
mod control;
mod envelope;
mod event;
mod machine;
mod open;
mod read;
#[cfg(test)]
mod tests;

use serde_json::json;
use std::mem;

pub use event::{Closed, Event, Ignored};
pub use read::{Batch, Opened, Part, Read, ReadPart, Reader};

use crate::error::Refusal;
use crate::frame::{self, Ahead, Decoder};
use crate::handshake::{Client, Config, Entropy, PeerHello, Server};
use crate::id::{ContentKey, NodeId};
use crate::limits::{MAX_FRAME_BYTES, MAX_INTAKE_BATCH};
use crate::record::Verified;
use machine::{Machine, State};

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing of the peer is proven yet.
    Handshake,
    /// Both sides are proven; records and control frames travel sealed.
    Open,
    /// Over.
    Closed,
}

impl Phase {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// One secure connection, without the socket.
pub struct Session {
    decoder: Decoder,
    machine: Machine,
}

impl Session {
    /// Start as the dialler. The client-hello waits in [`Session::take_output`].
    ///
    /// `expected` is the node id that was dialled; any other that answers is refused.
    ///
    /// # Errors
    /// The configuration does not make a valid hello.
    pub fn client(config: Config, entropy: &Entropy, expected: Option<NodeId>) -> Result<Self, Refusal> {
        let room = config.room.clone();
        let (client, hello) = Client::start(config, entropy, expected)?;
        let mut output = Vec::new();
        frame::encode(&hello, &mut output)?;
        Ok(Self::new(room, State::Client(Box::new(client)), output))
    }

    /// Start as the listener.
    ///
    /// # Errors
    /// The configuration does not make a valid hello.
    pub fn server(config: Config, entropy: &Entropy) -> Result<Self, Refusal> {
        let room = config.room.clone();
        let server = Server::new(config, entropy)?;
        Ok(Self::new(room, State::Server(Box::new(server)), Vec::new()))
    }

    fn new(room: String, state: State, output: Vec<u8>) -> Self {
        Self { decoder: Decoder::new(), machine: Machine { room, state, output, peer: None } }
    }

    /// Take in what the socket read, in any portions.
    ///
    /// Whatever the bytes are, the result is events; nothing is left behind for a later call but one unfinished frame.
    pub fn receive(&mut self, data: &[u8]) -> Vec<Event> {
        self.take_in(data, Vec::new())
    }

    /// Take in what the socket read, as [`Session::receive`] does, with the same events: on an open session `read_all`
    /// may read frames before their turn comes, side by side. It is given those that end in `data`, in their order, and
    /// returns what as many of them read as as it likes, from the first, in the same order.
    pub fn receive_with(
        &mut self,
        data: &[u8],
        read_all: impl FnOnce(&Reader, &[Ahead<'_>]) -> Vec<Read>,
    ) -> Vec<Event> {
        let Some(reader) = self.machine.reader() else { return self.receive(data) };
        let read = read_all(reader, &self.decoder.ahead(data, self.machine.frame_limit()));
        self.take_in(data, read)
    }

    /// Take in `data`, whose first frames were perhaps read before.
    fn take_in(&mut self, data: &[u8], read: Vec<Read>) -> Vec<Event> {
        let (mut events, mut input, mut read) = (Vec::new(), data, read.into_iter());
        while self.machine.phase() != Phase::Closed {
            match self.decoder.next(&mut input, self.machine.frame_limit()) {
                Ok(Some(frame)) => {
                    let coming = coming(&events, read.as_slice());
                    self.machine.receive(frame, read.next(), coming, &mut events);
                }
                Ok(None) => return events,
                Err(refusal) => self.machine.fail(&refusal, &mut events),
            }
        }
        self.decoder = Decoder::new();
        events
    }

    /// Take in one frame of a transport that delimits messages itself, as a relay's WebSocket does (MMP 2.0 §4.1).
    ///
    /// The rules are those of [`Session::receive`]. A session belongs to one transport: it is fed portions of a stream
    /// or whole messages, never both.
    pub fn receive_message(&mut self, frame: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        if self.machine.phase() != Phase::Closed {
            match frame::check_length(frame.len(), self.machine.frame_limit()) {
                Ok(()) => self.machine.receive(frame, None, 1, &mut events),
                Err(refusal) => self.machine.fail(&refusal, &mut events),
            }
        }
        events
    }

    /// Take the frames that wait to be sent, in order and without their length prefixes: one message each.
    pub fn take_messages(&mut self) -> Vec<Vec<u8>> {
        let output = self.take_output();
        let (mut stream, mut cut, mut messages) = (&output[..], Decoder::new(), Vec::new());
        // What `frame::encode` wrote is whole frames within bounds, so the stream ends where a frame ends.
        while let Ok(Some(frame)) = cut.next(&mut stream, MAX_FRAME_BYTES) {
            messages.push(frame.to_vec());
        }
        messages
    }

    /// Take the bytes that wait to be written to the socket, in order.
    pub fn take_output(&mut self) -> Vec<u8> {
        mem::take(&mut self.machine.output)
    }

    /// Send `cmb-anchors`: the keys of own records about to be replayed on this session, or none (MMP 2.0 update 1,
    /// §9.4). It must be the first thing a session sends, and is sent once.
    ///
    /// # Errors
    /// The session is not open, the frame was sent before, or there are more than [`crate::limits::MAX_ANCHOR_KEYS`] keys.
    pub fn send_anchors(&mut self, keys: &[ContentKey]) -> Result<(), Refusal> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let inner = json!({ "type": control::ANCHORS, "keys": keys });
        self.machine.send_control(inner.to_string().as_bytes())
    }

    /// Seal one record for the peer.
    ///
    /// # Errors
    /// The session is not open, `cmb-anchors` was not sent yet, or the record is of another room or addressed to
    /// another node. Nothing was sealed.
    pub fn send_record(&mut self, record: &Verified) -> Result<(), Refusal> {
        self.send_records(std::iter::once(record)).map(drop)
    }

    /// Seal several records for the peer, in order: how many.
    ///
    /// # Errors
    /// As for [`Session::send_record`], for the first record that must not be sent; then none was sealed.
    pub fn send_records<'a, I>(&mut self, records: I) -> Result<usize, Refusal>
    where
        I: IntoIterator<Item = &'a Verified> + Clone,
    {
        for record in records.clone() {
            self.machine.may_send(record)?;
        }
        self.machine.send_records(records.into_iter())
    }

    /// Seal one control frame for the peer.
    ///
    /// # Errors
    /// The session is not open, `cmb-anchors` was not sent yet (or is sent twice), the frame is outside its closed
    /// schema, or its type is one that this session cannot carry. Nothing was sealed.
    pub fn send_control(&mut self, inner: &[u8]) -> Result<(), Refusal> {
        self.machine.send_control(inner)
    }

    /// End the session. An open one says why in a sealed error; one in its handshake says nothing.
    ///
    /// # Errors
    /// The code is outside 1000 to 9999 or the message outside 1 to [`crate::limits::MAX_ERROR_MESSAGE_CHARS`] characters; the session is
    /// closed all the same, in silence.
    pub fn close(&mut self, code: u16, message: &str) -> Result<(), Refusal> {
        self.decoder = Decoder::new();
        self.machine.close(code, message)
    }

    /// Where the session stands.
    pub fn phase(&self) -> Phase {
        self.machine.phase()
    }

    /// The proven peer, once there is one.
    pub const fn peer(&self) -> Option<&PeerHello> {
        self.machine.peer.as_ref()
    }
}

/// How many records of envelopes come one behind the other, the first included: what a batch that begins has room for.
///
/// Their places follow one another, so that all of them join the batch if the first does: no room is left empty.
fn coming(events: &[Event], read: &[Read]) -> usize {
    let joins = matches!(events.last(), Some(Event::Records(batch)) if batch.0.len() < MAX_INTAKE_BATCH);
    let first = if joins { None } else { read.first().and_then(Read::record_at) };
    first.map_or(1, |first| {
        let places = read.iter().map(Read::record_at).zip(first..).take(MAX_INTAKE_BATCH);
        places.take_while(|(place, expected)| *place == Some(*expected)).count()
    })
}
