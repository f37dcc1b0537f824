//! An open session: what each frame of the peer amounts to, and what this side may seal.

use super::control::{self, Kind, Known};
use super::envelope;
use super::event::{Closed, Event, Ignored};
use super::read::{Content, Found, Read, Reader};
use crate::compact::{self, Entry, Version};
use crate::error::{Reason, Refusal};
use crate::frame;
use crate::handshake::PeerHello;
use crate::record::{Unverified, Verified};
use crate::seal::{Opener, Place, Sealer};

/// The protocol's code for a session that ends without another reason (MMP 2.0 update 1, §7.2).
pub(super) const SESSION_CLOSED: u16 = 1010;

/// The protocol's code by which a relayed peer says that it does not know the session (update 1, §7.2).
const UNKNOWN_SESSION: u16 = 1011;

/// How much of a peer's `type` an event repeats, in characters.
const KIND_SHOWN: usize = 64;

/// What an open session holds beside its peer.
pub(super) struct Open {
    pub(super) peer: PeerHello,
    pub(super) sealer: Sealer,
    opener: Opener,
    reader: Reader,
    anchors_sent: bool,
}

/// What one frame of an open session amounts to.
pub(super) enum Step {
    Record(Box<Unverified>),
    /// A batch, in the parts that it was read in.
    Records(Vec<Vec<Entry>>),
    Event(Event),
    Gap(Refusal),
    Ended(Closed),
}

impl Open {
    /// Start an open session; nothing was sent on it yet.
    pub(super) fn new(peer: PeerHello, sealer: Sealer, opener: Opener) -> Self {
        let reader = Reader::new(opener.unsealer().clone(), Version::offered(&peer.extensions));
        Self { peer, sealer, opener, reader, anchors_sent: false }
    }

    /// In which batches of the compact profile records travel, if they do.
    pub(super) const fn compact(&self) -> Option<Version> {
        self.reader.compact()
    }

    /// What reads the peer's frames.
    pub(super) const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Judge one frame of the peer, which was perhaps read before.
    pub(super) fn step(&mut self, frame: &[u8], read: Option<Read>) -> Result<Step, Refusal> {
        let (sequence, content) = match read.unwrap_or_else(|| self.reader.read(frame)).0? {
            Found::Clear(kind) => return self.read_clear(&kind, frame).map(Step::Event),
            Found::Sealed { sequence, content } => (sequence, content),
        };
        match self.opener.place(sequence) {
            Place::Next => {}
            Place::Replay => {
                return Err(Refusal::new(Reason::Replay, format!("sequence {sequence} was opened before")));
            }
            Place::Gap { expected } => {
                let detail = format!("sequence {sequence} came where {expected} should");
                return Ok(Step::Gap(Refusal::new(Reason::Gap, detail)));
            }
        }
        match content? {
            Content::Record(record) => Ok(Step::Record(record)),
            Content::Records(records) => Ok(Step::Records(records)),
            Content::Control(inner) => self.read_sealed(inner),
        }
    }

    /// Judge the inner frame of an authentic `control-encrypted`.
    fn read_sealed(&self, inner: Vec<u8>) -> Result<Step, Refusal> {
        let kind = control::kind_of(&inner)?;
        match control::classify(&kind, &self.peer.extensions) {
            Kind::Known(Known::Error) => {
                let error = control::read_error(&inner)?;
                if ends_session(error.code) {
                    let reason = if error.code == SESSION_CLOSED { Reason::PeerClosed } else { Reason::PeerError };
                    let (reason, code) = (reason.as_str(), Some(error.code));
                    return Ok(Step::Ended(Closed { reason, code, detail: error.message }));
                }
            }
            Kind::Known(known) => control::check(known, &kind, &inner)?,
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
            Kind::Known(known @ (Known::Ping | Known::Pong)) => control::check(known, kind, frame)?,
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

    pub(super) fn demand_anchors(&self) -> Result<(), Refusal> {
        if self.anchors_sent {
            return Ok(());
        }
        Err(Refusal::new(Reason::AnchorsFirst, "cmb-anchors must be the first thing a session sends"))
    }

    pub(super) fn seal_record(&mut self, record: &Verified, output: &mut Vec<u8>) -> Result<(), Refusal> {
        let (sealer, session_id) = (&mut self.sealer, &self.peer.session_id);
        frame::encode_with(output, |out| envelope::write_record(sealer, session_id, record.record(), out))
    }

    /// Seal what a batch holds, if it holds anything.
    pub(super) fn seal_batch(&mut self, batch: &mut compact::Writer, output: &mut Vec<u8>) -> Result<(), Refusal> {
        if batch.is_empty() {
            return Ok(());
        }
        let (sealer, version) = (&mut self.sealer, batch.version());
        frame::encode_with(output, |out| envelope::write_compact(sealer, version, batch.take(), out))
    }

    pub(super) fn seal_control(&mut self, inner: &[u8], output: &mut Vec<u8>) -> Result<(), Refusal> {
        let unusable = |detail: String| Err(Refusal::new(Reason::InvalidArgument, detail));
        let kind = control::kind_of(inner)?;
        let (mut is_anchors, mut opens_room) = (false, false);
        match control::classify(&kind, &self.peer.extensions) {
            Kind::Known(Known::Error) if ends_session(control::read_error(inner)?.code) => {
                return unusable("error: this code ends the session, so close it instead".to_owned());
            }
            Kind::Known(known) => {
                control::check(known, &kind, inner)?;
                is_anchors = known == Known::Anchors;
                opens_room = known == Known::RoomJoin;
            }
            Kind::Extension => control::check_extension(inner)?,
            Kind::Forbidden | Kind::Ignored(_) => {
                return unusable(format!("{}: not a control frame of this session", shown(&kind)));
            }
        }
        if opens_room {
            // A grant goes before everything, `cmb-anchors` too (update 1, §5.8.1).
            if self.anchors_sent {
                return unusable("room-join: cmb-anchors was sent before, so the room is open".to_owned());
            }
        } else if !is_anchors {
            self.demand_anchors()?;
        } else if self.anchors_sent {
            return Err(Refusal::new(Reason::AnchorsTwice, "cmb-anchors was sent before"));
        }
        let inner = control::minified(inner);
        if inner.len() > envelope::MAX_INNER_BYTES {
            return Err(Refusal::new(Reason::TooLarge, format!("control frame of {} bytes", inner.len())));
        }
        let (sealer, session_id) = (&mut self.sealer, &self.peer.session_id);
        frame::encode_with(output, |out| envelope::write_control(sealer, session_id, inner, out))?;
        self.anchors_sent |= !opens_room;
        Ok(())
    }
}

/// Say whether a sealed error of this code ends the session (MMP 2.0 update 1, §7.2).
const fn ends_session(code: u16) -> bool {
    code == 1001 || (code >= 1003 && code <= SESSION_CLOSED)
}

fn shown(kind: &str) -> String {
    kind.chars().take(KIND_SHOWN).collect()
}
