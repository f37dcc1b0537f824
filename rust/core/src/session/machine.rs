//! The state of a session and what moves it: handshake, open, closed.

use serde_json::json;
use std::mem;

use super::event::{Closed, Event};
use super::open::{Open, SESSION_CLOSED, Step};
use super::read::{Read, Reader};
use super::{Phase, control, envelope};
use crate::compact;
use crate::error::{Reason, Refusal};
use crate::frame;
use crate::handshake::{Client, Established, Finishing, PeerHello, Server};
use crate::limits::{MAX_FRAME_BYTES, MAX_HANDSHAKE_FRAME_BYTES, MAX_INTAKE_BATCH};
use crate::record::{Batch, Unverified, Verified};

/// Everything of a session but the cutting of its stream.
pub(super) struct Machine {
    pub(super) room: String,
    pub(super) state: State,
    pub(super) output: Vec<u8>,
    pub(super) peer: Option<PeerHello>,
}

pub(super) enum State {
    Client(Box<Client>),
    Server(Box<Server>),
    Finishing(Box<Finishing>),
    Open(Box<Open>),
    Closed,
}

impl Machine {
    pub(super) const fn phase(&self) -> Phase {
        match self.state {
            State::Client(_) | State::Server(_) | State::Finishing(_) => Phase::Handshake,
            State::Open(_) => Phase::Open,
            State::Closed => Phase::Closed,
        }
    }

    pub(super) const fn frame_limit(&self) -> usize {
        match self.state {
            State::Open(_) => MAX_FRAME_BYTES,
            _ => MAX_HANDSHAKE_FRAME_BYTES,
        }
    }

    /// What reads frames of this session, once it is open.
    pub(super) const fn reader(&self) -> Option<&Reader> {
        match &self.state {
            State::Open(open) => Some(open.reader()),
            _ => None,
        }
    }

    /// Take in one frame, with what it read as where it was read before; a batch that begins with it gets room for as
    /// many records as are `coming`.
    pub(super) fn receive(&mut self, frame: &[u8], read: Option<Read>, coming: usize, events: &mut Vec<Event>) {
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
                self.receive_open(frame, read, coming, events);
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
        self.state = State::Open(Box::new(Open::new(peer.clone(), sealer, opener)));
        events.push(Event::Authenticated { peer: Box::new(peer), role });
    }

    fn receive_open(&mut self, frame: &[u8], read: Option<Read>, coming: usize, events: &mut Vec<Event>) {
        let State::Open(open) = &mut self.state else { return };
        match open.step(frame, read) {
            Ok(Step::Record(record)) => push_record(*record, coming, events),
            Ok(Step::Records(parts)) => {
                // A refusal ends a batch of the event, so only where there is none is it known how long one gets.
                let whole = parts.iter().flatten().all(Result::is_ok);
                let count: usize = if whole { parts.iter().map(Vec::len).sum() } else { 0 };
                for (place, record) in parts.into_iter().flatten().enumerate() {
                    match record {
                        Ok(record) => push_record(record, count.saturating_sub(place), events),
                        Err(refusal) => events.push(Event::Refused(refusal)),
                    }
                }
            }
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
    ///
    /// What earlier frames earned stays in the output, or the answer would depend on how the stream was cut.
    pub(super) fn fail(&mut self, refusal: &Refusal, events: &mut Vec<Event>) {
        let code = refusal.reason.code();
        if self.phase() == Phase::Open {
            // A goodbye that cannot be sealed any more changes nothing: the session ends all the same.
            self.close(code.unwrap_or(SESSION_CLOSED), refusal.reason.as_str()).unwrap_or_default();
        }
        self.state = State::Closed;
        let detail = refusal.detail.clone();
        events.push(Event::Closed(Closed { reason: refusal.reason.as_str(), code, detail }));
    }

    pub(super) fn close(&mut self, code: u16, message: &str) -> Result<(), Refusal> {
        match mem::replace(&mut self.state, State::Closed) {
            State::Open(mut open) => {
                let error = json!({ "type": control::ERROR, "code": code, "message": message }).to_string();
                control::read_error(error.as_bytes())?;
                let (sealer, session_id) = (&mut open.sealer, &open.peer.session_id);
                frame::encode_with(&mut self.output, |out| {
                    envelope::write_control(sealer, session_id, error.into(), out)
                })
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
            _ => Err(not_open()),
        }
    }

    /// A sender seals nothing for the wrong room or the wrong node, whatever its caller believes (MMP 2.0 §5.8).
    pub(super) fn may_send(&mut self, record: &Verified) -> Result<(), Refusal> {
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

    /// Seal records in order: one by one, or in batches where both sides offered them.
    pub(super) fn send_records<'a>(&mut self, records: impl Iterator<Item = &'a Verified>) -> Result<usize, Refusal> {
        let State::Open(open) = &mut self.state else { return Err(not_open()) };
        let (compact, mut sent) = (open.compact(), 0);
        let mut batch = compact::Writer::new(compact.unwrap_or_default());
        for record in records {
            if compact.is_some() {
                batch.add(record.record());
                if batch.is_full() {
                    open.seal_batch(&mut batch, &mut self.output)?;
                }
            } else {
                open.seal_record(record, &mut self.output)?;
            }
            sent += 1;
        }
        open.seal_batch(&mut batch, &mut self.output)?;
        Ok(sent)
    }

    pub(super) fn send_control(&mut self, inner: &[u8]) -> Result<(), Refusal> {
        match &mut self.state {
            State::Open(open) => open.seal_control(inner, &mut self.output),
            _ => Err(not_open()),
        }
    }
}

fn not_open() -> Refusal {
    Refusal::new(Reason::SessionNotOpen, "the session is not open")
}

/// Append a record to the batch at the end of the events, or start a new one for as many as are `coming`, this one included.
///
/// Records are large, and are moved once.
fn push_record(record: Unverified, coming: usize, events: &mut Vec<Event>) {
    if let Some(Event::Records(Batch(records))) = events.last_mut()
        && records.len() < MAX_INTAKE_BATCH
    {
        records.push(record);
        return;
    }
    let mut records = Vec::with_capacity(coming.min(MAX_INTAKE_BATCH));
    records.push(record);
    events.push(Event::Records(Batch(records)));
}
