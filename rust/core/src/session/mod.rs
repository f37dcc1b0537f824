//! One secure connection: bytes in and events out, events in and bytes out (composes frame, handshake, seal, record).
//!
//! Rules: nothing about an author is verified here; a record leaves as `Unverified`. The order of records and control
//! frames is the order of the stream, however it was cut. What an unproven peer sends is fatal when it is wrong; on
//! an open session only the framing, a gap in the sequence and a sealed error end it, everything else is refused or
//! ignored by itself, and counted by the node.

mod control;
mod envelope;
mod event;
#[cfg(test)]
mod tests;

use serde_json::json;
use serde_json::value::RawValue;
use std::mem;

pub use event::{Closed, Event, Ignored};

use crate::error::{Reason, Refusal};
use crate::frame::{self, Decoder};
use crate::handshake::{Client, Config, Entropy, Established, Finishing, PeerHello, Server};
use crate::id::{ContentKey, NodeId};
use crate::limits::{MAX_FRAME_BYTES, MAX_HANDSHAKE_FRAME_BYTES, MAX_INTAKE_BATCH};
use crate::record::{Batch, Unverified, Verified};
use crate::seal::{Content, Opened, Opener, Sealer};
use control::{Kind, Known};
use envelope::{Bound, Envelope, Frame};

/// The protocol's code for a session that ends without another reason (MMP 2.0 update 1, §7.2).
const SESSION_CLOSED: u16 = 1010;

/// The protocol's code by which a relayed peer says that it does not know the session (update 1, §7.2).
const UNKNOWN_SESSION: u16 = 1011;

/// How much of a peer's `type` an event repeats, in characters.
const KIND_SHOWN: usize = 64;

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
        let (mut events, mut input) = (Vec::new(), data);
        while self.machine.phase() != Phase::Closed {
            match self.decoder.next(&mut input, self.machine.frame_limit()) {
                Ok(Some(frame)) => self.machine.receive(frame, &mut events),
                Ok(None) => return events,
                Err(refusal) => self.machine.fail(&refusal, &mut events),
            }
        }
        self.decoder = Decoder::new();
        events
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
        self.machine.may_send(record)?;
        self.machine.send_record(record)
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
        let mut sent = 0;
        for record in records {
            self.machine.send_record(record)?;
            sent += 1;
        }
        Ok(sent)
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

/// Everything of a session but the cutting of its stream.
struct Machine {
    room: String,
    state: State,
    output: Vec<u8>,
    peer: Option<PeerHello>,
}

enum State {
    Client(Box<Client>),
    Server(Box<Server>),
    Finishing(Box<Finishing>),
    Open(Box<Open>),
    Closed,
}

/// What an open session holds beside its peer.
struct Open {
    peer: PeerHello,
    sealer: Sealer,
    opener: Opener,
    anchors_sent: bool,
}

impl Machine {
    const fn phase(&self) -> Phase {
        match self.state {
            State::Client(_) | State::Server(_) | State::Finishing(_) => Phase::Handshake,
            State::Open(_) => Phase::Open,
            State::Closed => Phase::Closed,
        }
    }

    const fn frame_limit(&self) -> usize {
        match self.state {
            State::Open(_) => MAX_FRAME_BYTES,
            _ => MAX_HANDSHAKE_FRAME_BYTES,
        }
    }

    fn receive(&mut self, frame: &[u8], events: &mut Vec<Event>) {
        // The state is taken out and put back only by a step that succeeds: a failed handshake keeps no key.
        let outcome = match mem::replace(&mut self.state, State::Closed) {
            State::Client(client) => client.receive(frame).and_then(|(established, finish)| {
                frame::encode(&finish, &mut self.output)?;
                self.open(established, events);
                Ok(())
            }),
            State::Server(server) => server.receive(frame).and_then(|(finishing, hello)| {
                frame::encode(&hello, &mut self.output)?;
                self.state = State::Finishing(Box::new(finishing));
                Ok(())
            }),
            State::Finishing(finishing) => finishing.receive(frame).map(|established| self.open(established, events)),
            State::Open(open) => {
                self.state = State::Open(open);
                self.receive_open(frame, events);
                Ok(())
            }
            State::Closed => Ok(()),
        };
        if let Err(refusal) = outcome {
            self.fail(&refusal, events);
        }
    }

    fn open(&mut self, established: Established, events: &mut Vec<Event>) {
        let Established { peer, role, sealer, opener } = established;
        self.peer = Some(peer.clone());
        self.state = State::Open(Box::new(Open { peer: peer.clone(), sealer, opener, anchors_sent: false }));
        events.push(Event::Authenticated { peer: Box::new(peer), role });
    }

    fn receive_open(&mut self, frame: &[u8], events: &mut Vec<Event>) {
        let State::Open(open) = &mut self.state else { return };
        match open.step(frame) {
            Ok(Step::Record(record)) => push_record(*record, events),
            Ok(Step::Event(event)) => events.push(event),
            Ok(Step::Ended(closed)) => {
                self.state = State::Closed;
                events.push(Event::Closed(closed));
            }
            Ok(Step::Gap(refusal)) => self.fail(&refusal, events),
            Err(refusal) => events.push(Event::Refused(refusal)),
        }
    }

    /// End the session for something the peer did: an open session says so, sealed; a handshake sends nothing.
    fn fail(&mut self, refusal: &Refusal, events: &mut Vec<Event>) {
        let code = refusal.reason.code();
        if self.phase() == Phase::Handshake {
            self.output.clear();
        }
        if self.phase() == Phase::Open {
            let code = code.unwrap_or(SESSION_CLOSED);
            self.close(code, refusal.reason.as_str()).expect("a stable word and a code of the protocol fit an error");
        }
        self.state = State::Closed;
        let detail = refusal.detail.clone();
        events.push(Event::Closed(Closed { reason: refusal.reason.as_str(), code, detail }));
    }

    fn close(&mut self, code: u16, message: &str) -> Result<(), Refusal> {
        match mem::replace(&mut self.state, State::Closed) {
            State::Open(mut open) => {
                let error = json!({ "type": control::ERROR, "code": code, "message": message }).to_string();
                control::read_error(error.as_bytes())?;
                let envelope = envelope::write_control(&mut open.sealer, &open.peer.session_id, error.into())?;
                frame::encode(&envelope, &mut self.output)
            }
            State::Closed => Ok(()),
            State::Client(_) | State::Server(_) | State::Finishing(_) => {
                self.output.clear();
                Ok(())
            }
        }
    }

    fn open_state(&mut self) -> Result<&mut Open, Refusal> {
        match &mut self.state {
            State::Open(open) => Ok(open),
            _ => Err(Refusal::new(Reason::SessionNotOpen, "the session is not open")),
        }
    }

    /// A sender seals nothing for the wrong room or the wrong node, whatever its caller believes (MMP 2.0 §5.8).
    fn may_send(&mut self, record: &Verified) -> Result<(), Refusal> {
        let metadata = &record.record().metadata;
        if metadata.room != self.room {
            return Err(Refusal::new(Reason::WrongRoom, "the record is of another room"));
        }
        let open = self.open_state()?;
        if metadata.to.is_some_and(|to| to != open.peer.node_id) {
            return Err(Refusal::new(Reason::WrongAudience, "the record is addressed to another node"));
        }
        open.demand_anchors()
    }

    fn send_record(&mut self, record: &Verified) -> Result<(), Refusal> {
        let open = self.open_state()?;
        let envelope = open.seal_record(record)?;
        frame::encode(&envelope, &mut self.output)
    }

    fn send_control(&mut self, inner: &[u8]) -> Result<(), Refusal> {
        let open = self.open_state()?;
        let envelope = open.seal_control(inner)?;
        frame::encode(&envelope, &mut self.output)
    }
}

/// What one frame of an open session amounts to.
enum Step {
    Record(Box<Unverified>),
    Event(Event),
    Gap(Refusal),
    Ended(Closed),
}

impl Open {
    fn step(&mut self, frame: &[u8]) -> Result<Step, Refusal> {
        match envelope::read(frame, &self.peer.session_id, self.opener.direction())? {
            Frame::Record(envelope) => self.open_record(&envelope),
            Frame::Control(envelope) => self.open_control(&envelope),
            Frame::Clear(kind) => self.read_clear(&kind, frame).map(Step::Event),
        }
    }

    fn open_record(&mut self, envelope: &Envelope<'_>) -> Result<Step, Refusal> {
        let bound = Bound::read(envelope.metadata)?;
        let opened = self.opener.open(envelope.sequence, Content::Record(bound.subject()), &envelope.sealed)?;
        in_order(opened, envelope.sequence, |plaintext| {
            let record = Unverified::from_envelope(envelope.metadata.as_bytes(), &plaintext)?;
            Ok(Step::Record(Box::new(record)))
        })
    }

    fn open_control(&mut self, envelope: &Envelope<'_>) -> Result<Step, Refusal> {
        let opened = self.opener.open(envelope.sequence, Content::Control, &envelope.sealed)?;
        in_order(opened, envelope.sequence, |inner| self.read_sealed(inner))
    }

    /// Judge the inner frame of an authentic `control-encrypted`.
    fn read_sealed(&self, inner: Vec<u8>) -> Result<Step, Refusal> {
        let kind = control::kind_of(&inner)?;
        match control::classify(&kind, &self.peer.extensions) {
            Kind::Known(Known::Error) => {
                let error = control::read_error(&inner)?;
                if ends_session(error.code) {
                    let reason = Reason::PeerError.as_str();
                    return Ok(Step::Ended(Closed { reason, code: Some(error.code), detail: error.message }));
                }
            }
            Kind::Known(known) => control::check(known, &inner)?,
            Kind::Extension => control::check_extension(&inner)?,
            Kind::Forbidden => {
                let detail = format!("{}: never inside control-encrypted", shown(&kind));
                return Err(Refusal::new(Reason::ForbiddenInner, detail));
            }
            Kind::Ignored(reason) => return Ok(Step::Event(Event::Ignored { reason, kind: shown(&kind) })),
        }
        let kind = kind.into_owned();
        Ok(Step::Event(Event::Control { kind, frame: inner }))
    }

    /// Judge a frame in clear. It changes nothing, but for ping, pong and the one error that a relay's peer sends when
    /// it has no session to seal with (MMP 2.0 update 1, §7.1, §7.2).
    fn read_clear(&self, kind: &str, frame: &[u8]) -> Result<Event, Refusal> {
        let ignored = |reason| Ok(Event::Ignored { reason, kind: shown(kind) });
        match control::classify(kind, &self.peer.extensions) {
            Kind::Known(known @ (Known::Ping | Known::Pong)) => control::check(known, frame)?,
            Kind::Known(Known::Error) if control::read_error(frame)?.code == UNKNOWN_SESSION => {}
            Kind::Known(_) | Kind::Extension => return ignored(Ignored::ClearControl),
            Kind::Ignored(reason) => return ignored(reason),
            Kind::Forbidden if kind == "cmb" => {
                return Err(Refusal::new(Reason::ClearRecord, "cmb: this session carries sealed records only"));
            }
            Kind::Forbidden if kind == "state-sync" => return ignored(Ignored::RetiredType),
            Kind::Forbidden if kind.starts_with("relay-") => return ignored(Ignored::RelayType),
            Kind::Forbidden => {
                return Err(Refusal::new(Reason::HandshakeOrder, format!("{}: the session is open", shown(kind))));
            }
        }
        Ok(Event::Control { kind: kind.to_owned(), frame: frame.to_vec() })
    }

    fn demand_anchors(&self) -> Result<(), Refusal> {
        if self.anchors_sent {
            return Ok(());
        }
        Err(Refusal::new(Reason::AnchorsFirst, "cmb-anchors must be the first thing a session sends"))
    }

    fn seal_record(&mut self, record: &Verified) -> Result<Vec<u8>, Refusal> {
        let record = record.record();
        let metadata = record.envelope_metadata();
        let clear = std::str::from_utf8(&metadata).ok().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
        let clear = clear.ok_or_else(|| Refusal::new(Reason::Schema, "metadata: not written as JSON"))?;
        let bound = Bound::read(clear.get())?;
        let (sealer, session_id) = (&mut self.sealer, &self.peer.session_id);
        envelope::write_record(sealer, session_id, bound.subject(), clear, record.envelope_plaintext())
    }

    fn seal_control(&mut self, inner: &[u8]) -> Result<Vec<u8>, Refusal> {
        let unusable = |detail: String| Err(Refusal::new(Reason::InvalidArgument, detail));
        let kind = control::kind_of(inner)?;
        let mut is_anchors = false;
        match control::classify(&kind, &self.peer.extensions) {
            Kind::Known(Known::Error) if ends_session(control::read_error(inner)?.code) => {
                return unusable("error: this code ends the session, so close it instead".to_owned());
            }
            Kind::Known(known) => {
                control::check(known, inner)?;
                is_anchors = known == Known::Anchors;
            }
            Kind::Extension => control::check_extension(inner)?,
            Kind::Forbidden | Kind::Ignored(_) => {
                return unusable(format!("{}: not a control frame of this session", shown(&kind)));
            }
        }
        if !is_anchors {
            self.demand_anchors()?;
        } else if self.anchors_sent {
            return Err(Refusal::new(Reason::AnchorsTwice, "cmb-anchors was sent before"));
        }
        let inner = control::minified(inner);
        if inner.len() > envelope::MAX_INNER_BYTES {
            return Err(Refusal::new(Reason::TooLarge, format!("control frame of {} bytes", inner.len())));
        }
        let envelope = envelope::write_control(&mut self.sealer, &self.peer.session_id, inner)?;
        self.anchors_sent = true;
        Ok(envelope)
    }
}

/// Go on with an envelope that is the next one; a replay is discarded, a gap ends the session.
fn in_order(
    opened: Opened,
    sequence: u128,
    next: impl FnOnce(Vec<u8>) -> Result<Step, Refusal>,
) -> Result<Step, Refusal> {
    match opened {
        Opened::Next(plaintext) => next(plaintext),
        Opened::Replay => Err(Refusal::new(Reason::Replay, format!("sequence {sequence} was opened before"))),
        Opened::Gap { expected } => {
            Ok(Step::Gap(Refusal::new(Reason::Gap, format!("sequence {sequence} came where {expected} should"))))
        }
    }
}

/// Append a record to the batch at the end of the events, or start a new one.
fn push_record(record: Unverified, events: &mut Vec<Event>) {
    if let Some(Event::Records(Batch(records))) = events.last_mut()
        && records.len() < MAX_INTAKE_BATCH
    {
        records.push(record);
        return;
    }
    events.push(Event::Records(Batch(vec![record])));
}

/// Say whether a sealed error of this code ends the session (MMP 2.0 update 1, §7.2).
const fn ends_session(code: u16) -> bool {
    code == 1001 || (code >= 1003 && code <= SESSION_CLOSED)
}

fn shown(kind: &str) -> String {
    kind.chars().take(KIND_SHOWN).collect()
}
