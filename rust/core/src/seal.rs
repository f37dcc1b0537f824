//! Sealing: IETF ChaCha20-Poly1305 under one key and one sequence per direction (MMP 2.0 §18.2.1).
//!
//! Rules: the sequence is the nonce, so a position is sealed at most once and a sealer that fails to seal moves on
//! nothing. Opening proves an envelope first and judges its place afterwards: what does not open moves no counter,
//! and nobody without the key can close a session by claiming a place in it. Records and control frames share the
//! sequence of their direction and differ in the domain of their associated data.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, Key, KeyInit, Nonce, Tag};
use std::fmt;

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

/// Bytes of the Poly1305 tag at the end of what is sealed.
pub const TAG_BYTES: usize = 16;

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

/// The key of one direction of one session, and the next sequence in it.
struct Lane {
    cipher: ChaCha20Poly1305,
    session_id: SessionId,
    direction: Direction,
    next: u128,
}

impl fmt::Debug for Lane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Lane({} {} next {})", self.session_id, self.direction.name(), self.next)
    }
}

impl Lane {
    fn new(key: &[u8; 32], session_id: SessionId, direction: Direction) -> Self {
        Self { cipher: ChaCha20Poly1305::new(&Key::from(*key)), session_id, direction, next: 0 }
    }

    fn associated_data(&self, sequence: u128, content: Content<'_>) -> Vec<u8> {
        associated_data(&self.session_id, self.direction, sequence, content)
    }
}

/// Seals what this side sends.
#[derive(Debug)]
pub struct Sealer(Lane);

impl Sealer {
    /// Start a direction at sequence 0.
    pub fn new(key: &[u8; 32], session_id: SessionId, direction: Direction) -> Self {
        Self(Lane::new(key, session_id, direction))
    }

    /// The direction this seals.
    pub const fn direction(&self) -> Direction {
        self.0.direction
    }

    /// The sequence the next envelope will carry.
    pub const fn next_sequence(&self) -> u128 {
        self.0.next
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
        let lane = &mut self.0;
        if lane.next > MAX_SEQUENCE {
            return Err(Refusal::new(Reason::SequenceExhausted, "this direction has no sequence left"));
        }
        let sequence = lane.next;
        let aad = lane.associated_data(sequence, content);
        let tag = lane
            .cipher
            .encrypt_inout_detached(&nonce(sequence), &aad, plaintext.as_mut_slice().into())
            .map_err(|_| Refusal::new(Reason::FrameTooLarge, format!("{} bytes to seal", plaintext.len())))?;
        plaintext.extend_from_slice(&tag);
        lane.next += 1;
        Ok((sequence, plaintext))
    }
}

/// Opens what the other side sends, in its exact order.
#[derive(Debug)]
pub struct Opener(Lane);

impl Opener {
    /// Start a direction at sequence 0.
    pub fn new(key: &[u8; 32], session_id: SessionId, direction: Direction) -> Self {
        Self(Lane::new(key, session_id, direction))
    }

    /// The direction this opens.
    pub const fn direction(&self) -> Direction {
        self.0.direction
    }

    /// The sequence the next envelope must carry.
    pub const fn next_sequence(&self) -> u128 {
        self.0.next
    }

    /// Open an envelope that claims `sequence`.
    ///
    /// # Errors
    /// What is sealed is not canonical unpadded base64url, is shorter than a tag, or was not sealed with this key for
    /// exactly this session, direction, sequence and content. Nothing moved.
    pub fn open(&mut self, sequence: u128, content: Content<'_>, sealed: &str) -> Result<Opened, Refusal> {
        let bytes = base64url::decode(sealed.as_bytes())
            .ok_or_else(|| Refusal::new(Reason::MalformedFrame, "sealed: not canonical unpadded base64url"))?;
        self.open_bytes(sequence, content, bytes)
    }

    /// Open ciphertext and tag that claim `sequence`.
    ///
    /// # Errors
    /// As for [`Opener::open`].
    pub fn open_bytes(&mut self, sequence: u128, content: Content<'_>, sealed: Vec<u8>) -> Result<Opened, Refusal> {
        let mut bytes = sealed;
        let bad = || Refusal::new(Reason::BadSeal, format!("sequence {sequence}: the seal does not verify"));
        if sequence > MAX_SEQUENCE {
            return Err(Refusal::new(Reason::MalformedFrame, "sequence: above 2^96 - 1"));
        }
        let (body, tag) = bytes.split_last_chunk_mut::<TAG_BYTES>().ok_or_else(bad)?;
        let tag = Tag::from(*tag);
        let aad = self.0.associated_data(sequence, content);
        self.0.cipher.decrypt_inout_detached(&nonce(sequence), &aad, body.into(), &tag).map_err(|_| bad())?;
        if sequence < self.0.next {
            return Ok(Opened::Replay);
        }
        if sequence > self.0.next {
            return Ok(Opened::Gap { expected: self.0.next });
        }
        self.0.next += 1;
        bytes.truncate(bytes.len() - TAG_BYTES);
        Ok(Opened::Next(bytes))
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
    let mut writer = Writer::new(domain);
    writer.lp_str(VERSION);
    writer.lp_str(digits(session_id.as_bytes(), &mut [0; 64]));
    writer.lp_str(direction.name());
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

fn nonce(sequence: u128) -> Nonce {
    let bytes = sequence.to_be_bytes();
    let mut nonce = Nonce::default();
    nonce.copy_from_slice(&bytes[4..]);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{hex, unhex, unhex32};
    use proptest::prelude::*;

    // Pinned from the published vectors e2e-v2 and control-encrypted-v2, so that a clone alone proves the same bytes.
    const SESSION: &str = "f85383e8ebb887a1fe9578adabae4b5d";
    const CLIENT_KEY: &str = "789c875b5646722f94938d29a7712fcab924873cf5df4c1cf44ac18836990130";
    const SERVER_KEY: &str = "cfcddba80535583d252d8e744d55fe9cc792c7a63facbe5b13c5cb100bc289ae";
    const PING_SEALED: &str = "LZOJ6S-sr9C2uDf87MPv_hDZ61TklBd3s-oK_BIedw";
    const SUBJECT: Subject<'static> = Subject {
        key: "cmb-7f7b55653aa9854999c2efeb9751ce4428f9dfe95839e34e4358ab0be5cdf98d",
        assertion_id: "asrt-07ccedd2eaf5297b193c554b64f8ad4f02908adaff478618dc9ceb4eea63b011",
        node_id: "018f47a0-7b21-7abc-8def-0123456789ab",
        room: "conformance-room",
        to: Some("018f47a0-7b21-7abc-8def-fedcba987654"),
    };

    fn session() -> SessionId {
        SessionId::parse(SESSION).unwrap()
    }

    fn client_lane(next: u128) -> Lane {
        Lane { next, ..Lane::new(&unhex32(CLIENT_KEY).unwrap(), session(), Direction::ClientToServer) }
    }

    #[test]
    fn the_published_bytes_of_a_sealed_ping() {
        let mut lane = Sealer(client_lane(3));
        let sealed = lane.seal(Content::Control, br#"{"type":"ping"}"#.to_vec());
        assert_eq!(sealed, Ok((3, PING_SEALED.to_owned())));
        assert_eq!(lane.next_sequence(), 4);
        let mut opener = Opener(client_lane(3));
        assert_eq!(opener.open(3, Content::Control, PING_SEALED), Ok(Opened::Next(br#"{"type":"ping"}"#.to_vec())));
    }

    #[test]
    fn the_published_associated_data() {
        let record = associated_data(&session(), Direction::ServerToClient, 0, Content::Record(SUBJECT));
        let text = String::from_utf8(record).unwrap();
        assert_eq!(
            text,
            format!(
                "mmp-aead-aad-v2\n3:2.032:{SESSION}16:server-to-client1:068:{}69:{}36:{}16:conformance-room36:{}",
                SUBJECT.key,
                SUBJECT.assertion_id,
                SUBJECT.node_id,
                SUBJECT.to.unwrap()
            )
        );
        let to_nobody = Content::Record(Subject { to: None, ..SUBJECT });
        let broadcast = associated_data(&session(), Direction::ServerToClient, 0, to_nobody);
        assert!(broadcast.ends_with(b"16:conformance-room0:"));
        let control = associated_data(&session(), Direction::ServerToClient, 10, Content::Control);
        assert_eq!(
            String::from_utf8(control).unwrap(),
            format!("mmp-aead-control-v2\n3:2.032:{SESSION}16:server-to-client2:10")
        );
    }

    #[test]
    fn every_bound_member_is_bound() {
        let seal = || Sealer(client_lane(0)).seal(Content::Record(SUBJECT), b"{}".to_vec()).unwrap().1;
        let reason = |mut opener: Opener, sequence, content| {
            let outcome = opener.open(sequence, content, &seal()).map_err(|refusal| refusal.reason);
            assert_eq!(opener.next_sequence(), 0);
            outcome
        };
        let key = &unhex32(CLIENT_KEY).unwrap();
        let right = || Opener(client_lane(0));
        for content in [
            Content::Control,
            Content::Record(Subject { key: SUBJECT.assertion_id, ..SUBJECT }),
            Content::Record(Subject { assertion_id: SUBJECT.key, ..SUBJECT }),
            Content::Record(Subject { node_id: "", ..SUBJECT }),
            Content::Record(Subject { room: "default", ..SUBJECT }),
            Content::Record(Subject { to: None, ..SUBJECT }),
        ] {
            assert_eq!(reason(right(), 0, content), Err(Reason::BadSeal), "{content:?}");
        }
        let content = Content::Record(SUBJECT);
        assert_eq!(reason(right(), 1, content), Err(Reason::BadSeal));
        let reversed = Opener::new(key, session(), Direction::ServerToClient);
        assert_eq!(reason(reversed, 0, content), Err(Reason::BadSeal));
        let elsewhere = Opener::new(key, SessionId::from_bytes([0; 16]), Direction::ClientToServer);
        assert_eq!(reason(elsewhere, 0, content), Err(Reason::BadSeal));
        let other_key = Opener::new(&unhex32(SERVER_KEY).unwrap(), session(), Direction::ClientToServer);
        assert_eq!(reason(other_key, 0, content), Err(Reason::BadSeal));
    }

    #[test]
    fn a_replay_and_a_gap_are_told_apart_from_forgery() {
        let mut lane = Sealer(client_lane(0));
        let sealed: Vec<String> = (0..4).map(|_| lane.seal(Content::Control, b"{}".to_vec()).unwrap().1).collect();
        let mut opener = Opener(client_lane(0));
        assert_eq!(opener.open(2, Content::Control, &sealed[2]), Ok(Opened::Gap { expected: 0 }));
        assert_eq!(opener.open(0, Content::Control, &sealed[0]), Ok(Opened::Next(b"{}".to_vec())));
        assert_eq!(opener.open(0, Content::Control, &sealed[0]), Ok(Opened::Replay));
        let forged = opener.open(7, Content::Control, &sealed[1]).map_err(|refusal| refusal.reason);
        assert_eq!(forged, Err(Reason::BadSeal));
        assert_eq!(opener.next_sequence(), 1);
        assert_eq!(opener.open(1, Content::Control, &sealed[1]), Ok(Opened::Next(b"{}".to_vec())));
    }

    #[test]
    fn the_last_sequence_is_the_last() {
        let mut lane = Sealer(client_lane(MAX_SEQUENCE));
        let (sequence, sealed) = lane.seal(Content::Control, b"{}".to_vec()).unwrap();
        assert_eq!(sequence.to_string(), "79228162514264337593543950335");
        let refused = lane.seal(Content::Control, b"{}".to_vec()).unwrap_err();
        assert_eq!(refused.reason, Reason::SequenceExhausted);
        let mut opener = Opener(client_lane(MAX_SEQUENCE));
        assert!(matches!(opener.open(sequence, Content::Control, &sealed), Ok(Opened::Next(_))));
        assert!(opener.open(MAX_SEQUENCE + 1, Content::Control, &sealed).is_err());
        assert_eq!(nonce(MAX_SEQUENCE).as_slice(), [0xff; 12]);
        assert_eq!(hex(&nonce(258)), "000000000000000000000102");
    }

    #[test]
    fn what_is_sealed_has_one_spelling() {
        for sealed in ["", "AAAA", &PING_SEALED[1..], &format!("{PING_SEALED}="), &format!("{PING_SEALED} "), "Ä"] {
            let mut opener = Opener(client_lane(3));
            assert!(opener.open(3, Content::Control, sealed).is_err(), "{sealed}");
        }
        // The last character has two unused bits; only zeros are canonical.
        let bent = format!("{}x", &PING_SEALED[..PING_SEALED.len() - 1]);
        let refused = Opener(client_lane(3)).open(3, Content::Control, &bent).unwrap_err();
        assert_eq!(refused.reason, Reason::MalformedFrame);
    }

    #[test]
    fn sequences_have_one_spelling() {
        assert_eq!(parse_sequence("0"), Some(0));
        assert_eq!(parse_sequence("79228162514264337593543950335"), Some(MAX_SEQUENCE));
        for bad in ["", "00", "01", "+1", "-1", "1.0", " 1", "1e3", "79228162514264337593543950336", "٣"] {
            assert_eq!(parse_sequence(bad), None, "{bad}");
        }
        assert_eq!(parse_sequence(&"9".repeat(30)), None);
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_any_other_byte_does_not(
            plaintext in prop::collection::vec(any::<u8>(), 0..200), at: prop::sample::Index, bit in 0..8_u8,
        ) {
            let (_, sealed) = Sealer(client_lane(0)).seal(Content::Control, plaintext.clone()).unwrap();
            let opened = Opener(client_lane(0)).open(0, Content::Control, &sealed);
            prop_assert_eq!(opened, Ok(Opened::Next(plaintext)));
            let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let bent = URL_SAFE_NO_PAD.encode(bytes);
            let refused = Opener(client_lane(0)).open(0, Content::Control, &bent).unwrap_err();
            prop_assert_eq!(refused.reason, Reason::BadSeal);
        }

        #[test]
        fn sequences_print_as_they_are_read(sequence in 0..=MAX_SEQUENCE) {
            prop_assert_eq!(parse_sequence(&sequence.to_string()), Some(sequence));
            prop_assert_eq!(unhex::<12>(&hex(&nonce(sequence))).map(|n| n.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))), Some(sequence));
        }
    }
}
