//! The state of a connection and what moves it: handshake, open, closed.

use covey_core::handshake::Role;
use covey_core::id::NodeId;
use covey_core::limits::MAX_FRAME_BYTES;
use covey_core::record::Verified;
use covey_core::session::{Closed, Phase};
use covey_core::{Reason, Refusal, frame};

use super::event::{Event, Heard};
use super::frames::{self, Kind};
use super::hello::{self, Claimed, Config};
use super::memory::Authored;
use crate::limits::{MAX_BATCH, MAX_HELLO_BYTES};
use crate::record::{self, LegacyRecord};
use crate::seal::{Channel, Nonces};
use crate::signature::{self, Standing};

/// Everything of a connection but the cutting of its stream.
pub(super) struct Machine {
    config: Config,
    expected: Option<NodeId>,
    greeted: bool,
    nonces: Nonces,
    channel: Option<Channel>,
    authored: Authored,
    /// The peer has signed once: from then on, nothing unsigned in its name.
    signs: bool,
    pub(super) phase: Phase,
    pub(super) peer: Option<Box<Claimed>>,
    pub(super) output: Vec<u8>,
}

impl Machine {
    pub(super) fn new(config: Config, entropy: [u8; 32], expected: Option<NodeId>) -> Self {
        Self {
            config,
            expected,
            greeted: false,
            nonces: Nonces::new(entropy),
            channel: None,
            authored: Authored::default(),
            signs: false,
            phase: Phase::Handshake,
            peer: None,
            output: Vec::new(),
        }
    }

    pub(super) const fn frame_limit(&self) -> usize {
        match self.phase {
            Phase::Open => MAX_FRAME_BYTES,
            _ => MAX_HELLO_BYTES,
        }
    }

    pub(super) fn greet(&mut self) -> Result<(), Refusal> {
        self.greeted = true;
        frame::encode(&hello::write(&self.config)?, &mut self.output)
    }

    pub(super) fn receive(&mut self, frame: &[u8], events: &mut Vec<Event>) {
        if self.phase == Phase::Open {
            match self.step(frame) {
                Ok(Step::Heard(heard)) => push_record(*heard, events),
                Ok(Step::Event(event)) => events.push(event),
                Err(refusal) => events.push(Event::Refused(refusal)),
            }
        } else if let Err(refusal) = self.meet(frame, events) {
            self.fail(&refusal, events);
        }
    }

    /// Take the peer's handshake, and answer with ours where we did not dial.
    fn meet(&mut self, frame: &[u8], events: &mut Vec<Event>) -> Result<(), Refusal> {
        let peer = Box::new(hello::read(frame, &self.config, self.expected)?);
        self.channel = peer.agreement.as_deref().map(|key| self.config.agreement.agree(key)).transpose()?;
        let role = if self.greeted { Role::Client } else { Role::Server };
        if !self.greeted {
            self.greet()?;
        }
        self.phase = Phase::Open;
        self.peer = Some(peer.clone());
        events.push(Event::Claimed { peer, role });
        Ok(())
    }

    fn step(&mut self, frame: &[u8]) -> Result<Step, Refusal> {
        let kind = frames::kind_of(frame)?;
        let control = || Step::Event(Event::Control { kind: kind.clone().into_owned(), frame: frame.to_vec() });
        match frames::classify(&kind) {
            Kind::Cmb => self.hear(frame),
            Kind::Fetch => {
                let fetch = frames::fetch(frame)?;
                let (request_id, key) = (fetch.req_id.into_owned(), fetch.key.into_owned());
                Ok(Step::Event(Event::Fetch { request_id, key }))
            }
            Kind::Fetched => self.hear_fetched(frame),
            Kind::Beat => Ok(control()),
            Kind::Mood => frames::check_mood(frame).map(|()| control()),
            Kind::Handshake => Err(Refusal::new(Reason::HandshakeOrder, "a second handshake changes nothing")),
            Kind::Ignored(reason) => Ok(Step::Event(Event::Ignored { reason, kind: frames::bounded(&kind) })),
        }
    }

    fn hear(&mut self, frame: &[u8]) -> Result<Step, Refusal> {
        let said = frames::cmb(frame)?;
        let own = self.config.identity.node_id().to_string();
        if said.to.is_some_and(|to| to != own) {
            return Err(Refusal::new(Reason::WrongAudience, "the frame is for another node"));
        }
        let cmb = said.cmb.get().as_bytes();
        let record = match record::sealed_parts(cmb)? {
            None => record::read(cmb)?,
            Some((sealed, nonce)) => {
                let no_key = || Refusal::new(Reason::BadSeal, "sealed categories of a peer that showed no key");
                let opened = self.channel.as_ref().ok_or_else(no_key)?.open(&sealed, &nonce)?;
                record::read_opened(cmb, &opened)?
            }
        };
        let mut heard = self.judge(record)?;
        heard.anchor = said.anchor;
        Ok(Step::Heard(Box::new(heard)))
    }

    fn hear_fetched(&mut self, frame: &[u8]) -> Result<Step, Refusal> {
        let said = frames::fetch(frame)?;
        let record = match said.cmb.filter(|_| said.found) {
            None => None,
            Some(cmb) => {
                let record = record::read(cmb.get().as_bytes())?;
                if record.key != said.key {
                    return Err(Refusal::new(
                        Reason::AddressMismatch,
                        "cmb-fetch-result: another record than asked for",
                    ));
                }
                Some(Box::new(self.judge(record)?))
            }
        };
        let (request_id, key) = (said.req_id.into_owned(), said.key.into_owned());
        Ok(Step::Event(Event::Fetched { request_id, key, record }))
    }

    /// Check address, signature, room and audience; remember that the peer signs, and what is its own.
    fn judge(&mut self, record: LegacyRecord) -> Result<Heard, Refusal> {
        let Some(peer) = &self.peer else {
            return Err(Refusal::new(Reason::SessionNotOpen, "no handshake yet"));
        };
        if record.room.as_ref().is_some_and(|room| *room != self.config.room) {
            return Err(Refusal::new(Reason::WrongRoom, "the record is of another room"));
        }
        let own = self.config.identity.node_id().to_string();
        if record.to.as_ref().is_some_and(|to| *to != own) {
            return Err(Refusal::new(Reason::WrongAudience, "the record is addressed to another node"));
        }
        let node_id = peer.node_id.to_string();
        let (standing, scheme) = signature::judge(&record, [&peer.name, &node_id], &peer.public_key)?;
        if standing == Standing::Unsigned && self.signs {
            return Err(Refusal::new(Reason::BadSignature, "unsigned, from a peer that has signed before"));
        }
        self.signs |= standing == Standing::Signed;
        if record.author_label == peer.name || record.author_label == node_id {
            self.authored.add(&record.key);
        }
        let signed = standing == Standing::Signed;
        let hearsay = signed.then(|| record.hearsay(peer.node_id, &self.config.room)).transpose()?;
        let directed = signed && record.to.is_some();
        Ok(Heard { record, standing, hearsay, scheme, directed, anchor: false })
    }

    pub(super) fn fail(&mut self, refusal: &Refusal, events: &mut Vec<Event>) {
        self.phase = Phase::Closed;
        let (reason, code, detail) = (refusal.reason.as_str(), refusal.reason.code(), refusal.detail.clone());
        events.push(Event::Closed(Closed { reason, code, detail }));
    }

    pub(super) fn send_record(&mut self, own: &Verified, anchor: bool) -> Result<(), Refusal> {
        let record = self.restate(own)?;
        let Some(channel) = &self.channel else {
            return Err(Refusal::new(Reason::ClearRecord, "the peer showed no key to seal for"));
        };
        let cmb = record::sealed(&record, channel, self.nonces.take())?;
        let directed = record.to.is_some().then_some(true);
        let to = record.to.as_deref();
        let timestamp = record.created_ms;
        self.write(&frames::Say { r#type: "cmb", timestamp, cmb, to, directed, anchor: anchor.then_some(true) })
    }

    pub(super) fn send_fetch(&mut self, request_id: &str, key: &str, now_ms: u64) -> Result<(), Refusal> {
        self.demand_open()?;
        frames::demand_request(request_id, key)?;
        let from = self.config.identity.node_id().to_string();
        self.write(&frames::Ask { r#type: "cmb-fetch", req_id: request_id, key, from, timestamp: now_ms })
    }

    pub(super) fn send_fetched(
        &mut self,
        request_id: &str,
        key: &str,
        own: Option<&Verified>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        self.demand_open()?;
        frames::demand_request(request_id, key)?;
        let cmb = match own {
            None => None,
            Some(own) if own.record().metadata.to.is_some() => {
                return Err(Refusal::new(Reason::ClearRecord, "a directed record is not shown in clear"));
            }
            Some(own) => Some(record::clear(&self.restate(own)?)?),
        };
        let found = cmb.is_some();
        let req_id = request_id;
        self.write(&frames::Answer { r#type: "cmb-fetch-result", req_id, key, found, cmb, timestamp: now_ms })
    }

    pub(super) fn send_control(&mut self, kind: &str) -> Result<(), Refusal> {
        self.demand_open()?;
        match kind {
            "ping" => frame::encode(br#"{"type":"ping"}"#, &mut self.output),
            "pong" => frame::encode(br#"{"type":"pong"}"#, &mut self.output),
            _ => Err(Refusal::new(Reason::ForbiddenInner, format!("{}: not sent on this wire", frames::bounded(kind)))),
        }
    }

    fn demand_open(&self) -> Result<&Claimed, Refusal> {
        match (&self.phase, &self.peer) {
            (Phase::Open, Some(peer)) => Ok(peer),
            _ => Err(Refusal::new(Reason::SessionNotOpen, "the session is not open")),
        }
    }

    fn restate(&self, own: &Verified) -> Result<LegacyRecord, Refusal> {
        let peer = self.demand_open()?;
        let metadata = &own.record().metadata;
        if metadata.room != self.config.room {
            return Err(Refusal::new(Reason::WrongRoom, "the record is of another room"));
        }
        if metadata.to.is_some_and(|to| to != peer.node_id) {
            return Err(Refusal::new(Reason::WrongAudience, "the record is addressed to another node"));
        }
        record::restate(own, &self.config.identity, |parent| self.authored.has(parent))
    }

    fn write<T: serde::Serialize>(&mut self, said: &T) -> Result<(), Refusal> {
        frame::encode(&frames::body(said)?, &mut self.output)
    }
}

/// What one frame came to.
enum Step {
    Heard(Box<Heard>),
    Event(Event),
}

/// Append a record to the batch at the end of the events, or start a new one.
fn push_record(heard: Heard, events: &mut Vec<Event>) {
    if let Some(Event::Records(records)) = events.last_mut()
        && records.len() < MAX_BATCH
    {
        records.push(heard);
        return;
    }
    events.push(Event::Records(vec![heard]));
}
