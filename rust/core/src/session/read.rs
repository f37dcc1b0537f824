//! Reading frames of an open session, before anybody asks whose turn they were.
//!
//! Rules: what a frame reads as hangs on its bytes, the session's key and what both sides offered, on nothing that came
//! before it. So several are read side by side, and the order of the stream is kept by who takes them one by one
//! (`open`): there a place in the sequence is judged, and only there anything moves.

use super::envelope::{self, Bound, Envelope, Frame};
use crate::compact::{self, Entry, Version};
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
    /// A batch, in the parts that it was read in.
    Records(Vec<Vec<Entry>>),
    Control(Vec<u8>),
}

/// What is left to do with a frame whose seal was taken off.
#[derive(Debug)]
pub enum Opened {
    /// Nothing.
    Read(Read),
    /// Its records are to be read, in any order, and put together.
    Batch(Batch, Vec<Part>),
}

/// Records of one batch, on their way to whoever reads them.
#[derive(Debug)]
pub struct Part(compact::Part);

/// A part of a batch that was read.
#[derive(Debug)]
pub struct ReadPart(Result<Vec<Entry>, Refusal>);

/// A batch whose parts are being read.
#[derive(Debug)]
pub struct Batch {
    sequence: u128,
    parts: compact::Parts,
}

impl Part {
    /// Read its records.
    pub fn read(self) -> ReadPart {
        ReadPart(self.0.read())
    }
}

impl Batch {
    /// Take the next of its parts.
    pub fn push(&mut self, part: ReadPart) {
        self.parts.push(part.0);
    }

    /// What the frame reads as, once every part was taken.
    pub fn whole(self) -> Read {
        Read(Ok(Found::Sealed { sequence: self.sequence, content: self.parts.whole().map(Content::Records) }))
    }
}

impl Read {
    /// The place in the sequence of what is one record in an envelope.
    pub(super) const fn record_at(&self) -> Option<u128> {
        match self.0 {
            Ok(Found::Sealed { sequence, content: Ok(Content::Record(_)) }) => Some(sequence),
            _ => None,
        }
    }
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

    /// Take the seal of one frame off, and read all of it but the records of a large batch.
    pub fn open(&self, frame: &[u8]) -> Opened {
        let Unsealed { version, sequence, batch } = match self.unseal_batch(frame) {
            None => return Opened::Read(self.read(frame)),
            Some(Err(refusal)) => return Opened::Read(Read(Err(refusal))),
            Some(Ok(opened)) => opened,
        };
        match compact::Found::find(batch, version) {
            compact::Found::Parts(parts) => {
                let batch = Batch { sequence, parts: compact::Parts::new(parts.len()) };
                Opened::Batch(batch, parts.into_iter().map(Part).collect())
            }
            compact::Found::Read(read) => Opened::Read(Read(Ok(sealed_batch(sequence, read)))),
        }
    }

    /// Take the seal off a batch: its version, its place, and its bytes. `None` where the frame is none.
    fn unseal_batch(&self, frame: &[u8]) -> Option<Result<Unsealed, Refusal>> {
        let newest = self.compact?;
        let (version, sequence, sealed) = envelope::read_compact(frame)?;
        (version == Version::One || newest == Version::Two).then(|| {
            let batch = self.unsealer.unseal_bytes(sequence, seal::Content::Compact(version), sealed.to_vec())?;
            Ok(Unsealed { version, sequence, batch })
        })
    }

    fn find(&self, frame: &[u8]) -> Result<Found, Refusal> {
        if let Some(opened) = self.unseal_batch(frame) {
            let Unsealed { version, sequence, batch } = opened?;
            return Ok(sealed_batch(sequence, compact::read(&batch, version)));
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

/// A batch under its seal.
struct Unsealed {
    version: Version,
    sequence: u128,
    batch: Vec<u8>,
}

/// A batch that was read at once.
fn sealed_batch(sequence: u128, read: Result<Vec<Entry>, Refusal>) -> Found {
    Found::Sealed { sequence, content: read.map(|records| Content::Records(vec![records])) }
}
