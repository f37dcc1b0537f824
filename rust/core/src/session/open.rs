//! An open session: what each frame of the peer amounts to, and what this side may seal.

use super::control::{self, Kind, Known};
use super::envelope::{self, Bound, Envelope, Frame};
use super::event::{Closed, Event, Ignored};
use crate::compact::{self, Version};
use crate::error::{Reason, Refusal};
use crate::frame;
use crate::handshake::PeerHello;
use crate::record::{Unverified, Verified};
use crate::seal::{Content, Opened, Opener, Sealer};

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
    anchors_sent: bool,
    /// The newest version of the compact profile that both sides offered.
    compact: Option<Version>,
}

/// What one frame of an open session amounts to.
pub(super) enum Step {
    Record(Box<Unverified>),
    Records(Vec<Result<Unverified, Refusal>>),
    Event(Event),
    Gap(Refusal),
    Ended(Closed),
}

impl Open {
    /// Start an open session; nothing was sent on it yet.
    pub(super) fn new(peer: PeerHello, sealer: Sealer, opener: Opener) -> Self {
        let compact = Version::offered(&peer.extensions);
        Self { peer, sealer, opener, anchors_sent: false, compact }
    }

    /// In which batches of the compact profile records travel, if they do.
    pub(super) const fn compact(&self) -> Option<Version> {
        self.compact
    }

    /// Judge one frame of the peer.
    pub(super) fn step(&mut self, frame: &[u8]) -> Result<Step, Refusal> {
        if let Some(newest) = self.compact
            && let Some((version, sequence, sealed)) = envelope::read_compact(frame)
            && (version == Version::One || newest == Version::Two)
        {
            let opened = self.opener.open_bytes(sequence, Content::Compact(version), sealed.to_vec())?;
            return in_order(opened, sequence, |batch| compact::read(&batch, version).map(Step::Records));
        }
        match envelope::read(frame, &self.peer.session_id, self.opener.direction())? {
            Frame::Record(envelope) => self.open_record(&envelope),
            Frame::Control(envelope) => self.open_control(&envelope),
            Frame::Clear(kind) => self.read_clear(&kind, frame).map(Step::Event),
        }
    }

    fn open_record(&mut self, envelope: &Envelope<'_>) -> Result<Step, Refusal> {
        if let Some(clear) = &envelope.clear {
            let opened = self.opener.open(envelope.sequence, Content::Record(clear.subject()), &envelope.sealed)?;
            return in_order(opened, envelope.sequence, |plaintext| {
                let record = match Unverified::from_canonical(clear, &plaintext) {
                    Some(record) => record,
                    None => Unverified::from_envelope(envelope.metadata.as_bytes(), &plaintext)?,
                };
                Ok(Step::Record(Box::new(record)))
            });
        }
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

/// Say whether a sealed error of this code ends the session (MMP 2.0 update 1, §7.2).
const fn ends_session(code: u16) -> bool {
    code == 1001 || (code >= 1003 && code <= SESSION_CLOSED)
}

fn shown(kind: &str) -> String {
    kind.chars().take(KIND_SHOWN).collect()
}
