//! Sealing: IETF ChaCha20-Poly1305 under one key and one sequence per direction (MMP 2.0 §18.2.1).
//!
//! Rules: the sequence is the nonce, so a position is sealed at most once and a sealer that fails to seal moves on
//! nothing. Opening proves an envelope first and judges its place afterwards: what does not open moves no counter,
//! and nobody without the key can close a session by claiming a place in it. Records and control frames share the
//! sequence of their direction and differ in the domain of their associated data.

mod cipher;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::sync::Arc;

use cipher::{Cipher, NONCE_BYTES};

pub use cipher::TAG_BYTES;

use crate::base64url;
use crate::compact;
use crate::error::{Reason, Refusal};
use crate::hash::digits;
use crate::id::SessionId;
use crate::netstring::Writer;
use crate::text;

/// The one suite of Core Secure, as an envelope names it.
pub const SUITE: &str = "X25519-HKDF-SHA256-ChaCha20-Poly1305";

/// The last sequence a direction has: the nonce holds 96 bits.
pub const MAX_SEQUENCE: u128 = (1 << 96) - 1;

const RECORD_DOMAIN: &str = "mmp-aead-aad-v2\n";
const COMPACT_DOMAIN: &str = "x-covey-compact-v1\n";
const COMPACT_2_DOMAIN: &str = "x-covey-compact-v2\n";
const CONTROL_DOMAIN: &str = "mmp-aead-control-v2\n";
const VERSION: &str = "2.0";

/// Who sealed: the client (dialler) or the server (listener).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Sealed by the client.
    ClientToServer,
    /// Sealed by the server.
    ServerToClient,
}

impl Direction {
    /// The name an envelope carries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientToServer => "client-to-server",
            Self::ServerToClient => "server-to-client",
        }
    }

    /// The other way.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::ClientToServer => Self::ServerToClient,
            Self::ServerToClient => Self::ClientToServer,
        }
    }
}

/// The clear members of a record that its seal binds. Everything else of the record is bound by its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Content key, `cmb-…`.
    pub key: &'a str,
    /// Assertion id, `asrt-…`.
    pub assertion_id: &'a str,
    /// The author's node id.
    pub node_id: &'a str,
    /// The room of the record.
    pub room: &'a str,
    /// The recipient's node id, if the record has one.
    pub to: Option<&'a str>,
}

/// What an envelope seals.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A record's categories and application bytes (`cmb-encrypted`).
    Record(Subject<'a>),
    /// One control frame (`control-encrypted`).
    Control,
    /// Several records of covey's compact profile, in one of its versions.
    Compact(compact::Version),
}

/// An envelope that proved authentic.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// The next one in sequence; the counter has moved behind it.
    Next(Vec<u8>),
    /// One that was opened before. Nothing moved.
    Replay,
    /// One that came too early: something before it was lost. Nothing moved.
    Gap {
        /// The sequence that should have come.
        expected: u128,
    },
}

/// The key of one direction of one session.
struct Lane {
    cipher: Cipher,
    session_id: SessionId,
    direction: Direction,
    /// What the associated data of each record begin with.
    record_head: Writer,
}

impl Lane {
    fn new(key: &[u8; 32], session_id: SessionId, direction: Direction) -> Self {
        let record_head = head(RECORD_DOMAIN, &session_id, direction);
        Self { cipher: Cipher::new(key), session_id, direction, record_head }
    }

    fn associated_data(&self, sequence: u128, content: Content<'_>) -> Vec<u8> {
        match content {
            Content::Record(_) => tail(self.record_head.begun(), sequence, content),
            _ => associated_data(&self.session_id, self.direction, sequence, content),
        }
    }

    fn shown(&self, next: u128, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Lane({} {} next {next})", self.session_id, self.direction.name())
    }
}

/// Seals what this side sends.
pub struct Sealer {
    lane: Lane,
    next: u128,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lane.shown(self.next, formatter)
    }
}

impl Sealer {
    /// Start a direction at sequence 0.
    pub fn new(key: &[u8; 32], session_id: SessionId, direction: Direction) -> Self {
        Self { lane: Lane::new(key, session_id, direction), next: 0 }
    }

    /// The direction this seals.
    pub const fn direction(&self) -> Direction {
        self.lane.direction
    }

    /// The sequence the next envelope will carry.
    pub const fn next_sequence(&self) -> u128 {
        self.next
    }

    /// Seal `plaintext` at the next sequence: its sequence and the unpadded base64url of ciphertext and tag.
    ///
    /// # Errors
    /// As for [`Sealer::seal_bytes`].
    pub fn seal(&mut self, content: Content<'_>, plaintext: Vec<u8>) -> Result<(u128, String), Refusal> {
        let (sequence, sealed) = self.seal_bytes(content, plaintext)?;
        Ok((sequence, URL_SAFE_NO_PAD.encode(&sealed)))
    }

    /// Seal `plaintext` at the next sequence: its sequence, and ciphertext and tag.
    ///
    /// # Errors
    /// The direction has used its last sequence; the session must be replaced by a new one.
    pub fn seal_bytes(&mut self, content: Content<'_>, mut plaintext: Vec<u8>) -> Result<(u128, Vec<u8>), Refusal> {
        if self.next > MAX_SEQUENCE {
            return Err(Refusal::new(Reason::SequenceExhausted, "this direction has no sequence left"));
        }
        let sequence = self.next;
        let aad = self.lane.associated_data(sequence, content);
        let sealed = self.lane.cipher.seal(nonce(sequence), &aad, &mut plaintext);
        sealed.ok_or_else(|| Refusal::new(Reason::FrameTooLarge, format!("{} bytes to seal", plaintext.len())))?;
        self.next += 1;
        Ok((sequence, plaintext))
    }
}

/// Proves envelopes of one direction and takes their seals off, whatever their order: it counts nothing, so several may
/// be opened at once. Whose turn each was is the [`Opener`]'s to say.
#[derive(Clone)]
pub struct Unsealer(Arc<Lane>);

impl fmt::Debug for Unsealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Unsealer({} {})", self.session_id(), self.direction().name())
    }
}

impl Unsealer {
    /// The session whose envelopes this opens.
    pub fn session_id(&self) -> &SessionId {
        &self.0.session_id
    }

    /// The direction this opens.
    pub fn direction(&self) -> Direction {
        self.0.direction
    }

    /// Prove an envelope that claims `sequence`, and take its seal off.
    ///
    /// # Errors
    /// What is sealed is not canonical unpadded base64url, is shorter than a tag, or was not sealed with this key for
    /// exactly this session, direction, sequence and content.
    pub fn unseal(&self, sequence: u128, content: Content<'_>, sealed: &[u8]) -> Result<Vec<u8>, Refusal> {
        let bytes = base64url::decode(sealed)
            .ok_or_else(|| Refusal::new(Reason::MalformedFrame, "sealed: not canonical unpadded base64url"))?;
        self.unseal_bytes(sequence, content, bytes)
    }

    /// Prove ciphertext and tag that claim `sequence`, and return what they seal.
    ///
    /// # Errors
    /// As for [`Unsealer::unseal`].
    pub fn unseal_bytes(&self, sequence: u128, content: Content<'_>, sealed: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let mut bytes = sealed;
        let bad = || Refusal::new(Reason::BadSeal, format!("sequence {sequence}: the seal does not verify"));
        if sequence > MAX_SEQUENCE {
            return Err(Refusal::new(Reason::MalformedFrame, "sequence: above 2^96 - 1"));
        }
        let aad = self.0.associated_data(sequence, content);
        self.0.cipher.open(nonce(sequence), &aad, &mut bytes).ok_or_else(bad)?;
        Ok(bytes)
    }
}

/// The place of an envelope that proved authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The next one in sequence; the counter has moved behind it.
    Next,
    /// One that was opened before. Nothing moved.
    Replay,
    /// One that came too early: something before it was lost. Nothing moved.
    Gap {
        /// The sequence that should have come.
        expected: u128,
    },
}

/// Opens what the other side sends, in its exact order.
pub struct Opener {
    unsealer: Unsealer,
    next: u128,
}

impl fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unsealer.0.shown(self.next, formatter)
    }
}

impl Opener {
    /// Start a direction at sequence 0.
    pub fn new(key: &[u8; 32], session_id: SessionId, direction: Direction) -> Self {
        Self { unsealer: Unsealer(Arc::new(Lane::new(key, session_id, direction))), next: 0 }
    }

    /// The direction this opens.
    pub fn direction(&self) -> Direction {
        self.unsealer.direction()
    }

    /// The sequence the next envelope must carry.
    pub const fn next_sequence(&self) -> u128 {
        self.next
    }

    /// What takes seals off in this direction.
    pub const fn unsealer(&self) -> &Unsealer {
        &self.unsealer
    }

    /// Judge the place of an envelope that the [`Unsealer`] proved, and move behind it where it is the next one.
    pub fn place(&mut self, sequence: u128) -> Place {
        if sequence < self.next {
            return Place::Replay;
        }
        if sequence > self.next {
            return Place::Gap { expected: self.next };
        }
        self.next += 1;
        Place::Next
    }

    /// Open an envelope that claims `sequence`: prove it, then judge its place.
    ///
    /// # Errors
    /// As for [`Unsealer::unseal`]. Nothing moved.
    pub fn open(&mut self, sequence: u128, content: Content<'_>, sealed: &str) -> Result<Opened, Refusal> {
        let plaintext = self.unsealer.unseal(sequence, content, sealed.as_bytes())?;
        Ok(match self.place(sequence) {
            Place::Next => Opened::Next(plaintext),
            Place::Replay => Opened::Replay,
            Place::Gap { expected } => Opened::Gap { expected },
        })
    }
}

/// The bytes an envelope's tag covers beside its ciphertext (MMP 2.0 §18.2.1; update 1 for control frames).
pub fn associated_data(session_id: &SessionId, direction: Direction, sequence: u128, content: Content<'_>) -> Vec<u8> {
    let domain = match content {
        Content::Record(_) => RECORD_DOMAIN,
        Content::Control => CONTROL_DOMAIN,
        Content::Compact(compact::Version::One) => COMPACT_DOMAIN,
        Content::Compact(compact::Version::Two) => COMPACT_2_DOMAIN,
    };
    tail(head(domain, session_id, direction), sequence, content)
}

/// What does not change from one envelope of a direction to the next.
fn head(domain: &str, session_id: &SessionId, direction: Direction) -> Writer {
    let mut writer = Writer::new(domain);
    writer.lp_str(VERSION);
    writer.lp_str(digits(session_id.as_bytes(), &mut [0; 64]));
    writer.lp_str(direction.name());
    writer
}

/// What does.
fn tail(mut writer: Writer, sequence: u128, content: Content<'_>) -> Vec<u8> {
    match u64::try_from(sequence) {
        Ok(sequence) => writer.lp_u64(sequence),
        Err(_) => writer.lp_str(&sequence.to_string()),
    };
    if let Content::Record(subject) = content {
        writer.lp_str(subject.key);
        writer.lp_str(subject.assertion_id);
        writer.lp_str(subject.node_id);
        writer.lp_str(&text::nfc(subject.room));
        writer.lp_str(subject.to.unwrap_or_default());
    }
    writer.into_bytes()
}

/// Read a sequence as an envelope writes it: decimal, no sign, no leading zero, at most 2^96 − 1.
pub fn parse_sequence(digits: &str) -> Option<u128> {
    let canonical = digits == "0" || !digits.starts_with('0');
    let decimal = (1..=29).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !(canonical && decimal) {
        return None;
    }
    digits.parse().ok().filter(|sequence| *sequence <= MAX_SEQUENCE)
}

fn nonce(sequence: u128) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    nonce.copy_from_slice(&sequence.to_be_bytes()[16 - NONCE_BYTES..]);
    nonce
}

#[cfg(test)]
mod tests;
