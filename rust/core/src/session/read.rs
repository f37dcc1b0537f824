//! Reading frames of an open session, before anybody asks whose turn they were.
//!
//! Rules: what a frame reads as hangs on its bytes, the session's key and what both sides offered, on nothing that came
//! before it. So several are read side by side, and the order of the stream is kept by who takes them one by one
//! (`open`): there a place in the sequence is judged, and only there anything moves.

use super::envelope::{self, Bound, Envelope, Frame};
use crate::compact::{self, Version};
use crate::error::Refusal;
use crate::record::Unverified;
use crate::seal::{self, Unsealer};

/// Reads the peer's frames of one open session. A copy reads the same.
#[derive(Clone, Debug)]
pub struct Reader {
    unsealer: Unsealer,
    /// The newest version of the compact profile that both sides offered.
    compact: Option<Version>,
}

/// A frame that was read; its place in the sequence is not judged yet.
#[derive(Debug)]
pub struct Read(pub(super) Result<Found, Refusal>);

/// What a frame turned out to be.
#[derive(Debug)]
pub(super) enum Found {
    /// A seal that holds, and what is under it.
    Sealed { sequence: u128, content: Result<Content, Refusal> },
    /// A frame in clear, by its type.
    Clear(String),
}

/// What was sealed.
#[derive(Debug)]
pub(super) enum Content {
    Record(Box<Unverified>),
    Records(Vec<Result<Unverified, Refusal>>),
    Control(Vec<u8>),
}

impl Reader {
    pub(super) const fn new(unsealer: Unsealer, compact: Option<Version>) -> Self {
        Self { unsealer, compact }
    }

    pub(super) const fn compact(&self) -> Option<Version> {
        self.compact
    }

    /// Read one frame: take its seal off, and read the records under it.
    pub fn read(&self, frame: &[u8]) -> Read {
        Read(self.find(frame))
    }

    fn find(&self, frame: &[u8]) -> Result<Found, Refusal> {
        if let Some(newest) = self.compact
            && let Some((version, sequence, sealed)) = envelope::read_compact(frame)
            && (version == Version::One || newest == Version::Two)
        {
            let batch = self.unsealer.unseal_bytes(sequence, seal::Content::Compact(version), sealed.to_vec())?;
            return Ok(Found::Sealed { sequence, content: compact::read(&batch, version).map(Content::Records) });
        }
        match envelope::read(frame, self.unsealer.session_id(), self.unsealer.direction())? {
            Frame::Record(envelope) => self.open_record(&envelope),
            Frame::Control(Envelope { sequence, sealed, .. }) => {
                let inner = self.unsealer.unseal(sequence, seal::Content::Control, &sealed)?;
                Ok(Found::Sealed { sequence, content: Ok(Content::Control(inner)) })
            }
            Frame::Clear(kind) => Ok(Found::Clear(kind.into_owned())),
        }
    }

    fn open_record(&self, envelope: &Envelope<'_>) -> Result<Found, Refusal> {
        let Envelope { sequence, sealed, metadata, clear } = envelope;
        let (canonical, plaintext) = if let Some(clear) = clear {
            let plaintext = self.unsealer.unseal(*sequence, seal::Content::Record(clear.subject()), sealed)?;
            (Unverified::from_canonical(clear, &plaintext), plaintext)
        } else {
            let bound = Bound::read(metadata)?;
            (None, self.unsealer.unseal(*sequence, seal::Content::Record(bound.subject()), sealed)?)
        };
        let record = match canonical {
            Some(record) => Ok(record),
            None => Unverified::from_envelope(metadata.as_bytes(), &plaintext),
        };
        Ok(Found::Sealed { sequence: *sequence, content: record.map(|record| Content::Record(Box::new(record))) })
    }
}
