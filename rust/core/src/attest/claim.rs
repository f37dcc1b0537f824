//! One attestation: what it says, its canonical signed bytes, its place in its attester's chain (§5.1 of the extension).

use serde::{Deserialize, Serialize};
use std::fmt;

use super::frame::{schema, signature, text_of};
use crate::category::{COUNT, Category};
use crate::error::Refusal;
use crate::hash::{Digest, hex, sha256, unhex32};
use crate::id::{AssertionId, ContentKey, NodeId};
use crate::identity::{PublicKey, SigningKey};
use crate::json::Object;
use crate::limits::MAX_SAFE_INTEGER;
use crate::netstring::Writer;
use crate::signature::verify_bytes;
use crate::svaf::{Decision, Verdict};
use crate::text;

const DOMAIN: &str = "mmp-attest-v1\n";
const GENESIS: &str = "genesis";

/// What a chain hangs from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing: this is the first.
    Genesis,
    /// The digest of what came before.
    After(Digest),
}

impl Link {
    /// Read `genesis` or 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text == GENESIS { Some(Self::Genesis) } else { unhex32(text).map(Self::After) }
    }

    /// Say whether the chain starts here exactly where its first position says it does.
    pub(super) fn fits(self, position: u64) -> bool {
        (position == 1) == (self == Self::Genesis)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Genesis => out.write_str(GENESIS),
            Self::After(digest) => out.write_str(&hex(digest)),
        }
    }
}

/// What admission found in one category, in the words of §9.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// Relevant and new.
    Admit,
    /// Somewhat off.
    Guard,
    /// Said before.
    Redundant,
    /// Off.
    Reject,
    /// Not evaluable.
    Silent,
}

impl From<Verdict> for Finding {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Admit => Self::Admit,
            Verdict::Guard => Self::Guard,
            Verdict::Redundant => Self::Redundant,
            Verdict::Reject => Self::Reject,
            Verdict::Silent(_) => Self::Silent,
        }
    }
}

impl Finding {
    /// Read one of the five words; `None` when it is none of them.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Admit, Self::Guard, Self::Redundant, Self::Reject, Self::Silent];
        all.into_iter().find(|finding| finding.as_str() == word)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Guard => "guard",
            Self::Redundant => "redundant",
            Self::Reject => "reject",
            Self::Silent => "silent",
        }
    }
}

/// One attestation, as it claims to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Attestation {
    /// The judged record's content key.
    pub of: ContentKey,
    /// The judged record's assertion id.
    pub assertion_id: AssertionId,
    /// The attester.
    pub by: NodeId,
    /// The attester's clock in milliseconds; information only.
    pub at: u64,
    /// The attester's room.
    pub room: String,
    /// How it judged.
    pub method: String,
    /// The decision about the whole record.
    pub verdict: Decision,
    /// What it found in each category.
    pub categories: [Finding; COUNT],
    /// The role the attester claims; a hint.
    pub role: String,
    /// Its place in the attester's chain, from 1.
    pub seq: u64,
    /// The digest of the signature before it.
    pub prev: Link,
    /// The attester's signature.
    pub signature: [u8; 64],
}

impl Attestation {
    /// The canonical signed bytes.
    pub fn payload(&self) -> Vec<u8> {
        let mut writer = Writer::new(DOMAIN);
        writer.lp_str(&self.of.to_string()).lp_str(&self.assertion_id.to_string()).lp_str(&self.by.to_string());
        writer.lp_u64(self.at).lp_str(&self.room).lp_str(&self.method).lp_str(self.verdict.as_str());
        for finding in self.categories {
            writer.lp_str(finding.as_str());
        }
        writer.lp_str(&self.role).lp_u64(self.seq).lp_str(&self.prev.to_string());
        writer.into_bytes()
    }

    /// Check the signature under the attester's key.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify(&self, attester: &PublicKey) -> Result<(), Refusal> {
        verify_bytes(&self.payload(), &self.signature, attester)
    }

    /// What the next attestation's `prev` is: the digest of this one's signature.
    pub fn link(&self) -> Link {
        Link::After(sha256(&[&self.signature]))
    }

    pub(super) fn sign(mut self, key: &SigningKey) -> Self {
        self.signature = key.sign_bytes(&self.payload());
        self
    }

    pub(super) fn from_wire(wire: WireAttestation) -> Result<Self, Refusal> {
        let prev = Link::parse(&wire.prev).filter(|prev| prev.fits(wire.seq));
        let prev = prev.ok_or_else(|| schema("prev: expected genesis exactly where seq is 1"))?;
        let verdict = Decision::parse(&wire.verdict).ok_or_else(|| schema("verdict: none of the four"))?;
        if !(1..=MAX_SAFE_INTEGER).contains(&wire.seq) || wire.at > MAX_SAFE_INTEGER {
            return Err(schema("seq, at: outside the safe integers"));
        }
        text::check_room(&wire.room)?;
        check_token(&wire.method, 32, "method")?;
        check_token(&wire.role, 64, "role")?;
        check_algorithm(&wire.sig_alg)?;
        let Object(found) = wire.categories;
        Ok(Self {
            of: ContentKey::parse(&wire.of)?,
            assertion_id: AssertionId::parse(&wire.assertion_id)?,
            by: NodeId::parse(&wire.by)?,
            at: wire.at,
            room: wire.room,
            method: wire.method,
            verdict,
            categories: [
                found.focus,
                found.issue,
                found.intent,
                found.motivation,
                found.commitment,
                found.perspective,
                found.mood,
            ],
            role: wire.role,
            seq: wire.seq,
            prev,
            signature: signature(&wire.sig)?,
        })
    }

    pub(super) fn to_wire(&self) -> WireAttestation {
        let [focus, issue, intent, motivation, commitment, perspective, mood] = self.categories;
        WireAttestation {
            of: self.of.to_string(),
            assertion_id: self.assertion_id.to_string(),
            by: self.by.to_string(),
            at: self.at,
            room: self.room.clone(),
            method: self.method.clone(),
            verdict: self.verdict.as_str().to_owned(),
            categories: Object(Findings { focus, issue, intent, motivation, commitment, perspective, mood }),
            role: self.role.clone(),
            seq: self.seq,
            prev: self.prev.to_string(),
            sig_alg: ALGORITHM.to_owned(),
            sig: text_of(&self.signature),
        }
    }
}

pub(super) const ALGORITHM: &str = "ed25519";

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct WireAttestation {
    of: String,
    assertion_id: String,
    by: String,
    at: u64,
    room: String,
    method: String,
    verdict: String,
    categories: Object<Findings>,
    role: String,
    seq: u64,
    prev: String,
    sig_alg: String,
    sig: String,
}

/// Exactly the seven, in the order of [`Category::ALL`].
#[derive(Deserialize, Serialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
struct Findings {
    focus: Finding,
    issue: Finding,
    intent: Finding,
    motivation: Finding,
    commitment: Finding,
    perspective: Finding,
    mood: Finding,
}

const _: () = assert!(Category::ALL.len() == 7, "the seven members above");

pub(super) fn check_algorithm(name: &str) -> Result<(), Refusal> {
    if name == ALGORITHM { Ok(()) } else { Err(schema("sigAlg: expected ed25519")) }
}

/// Check a token of the extension: `[a-z0-9][a-z0-9_-]*` of at most `most` characters.
pub(super) fn check_token(token: &str, most: usize, member: &str) -> Result<(), Refusal> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let follows = |byte: u8| letter(byte) || byte == b'_' || byte == b'-';
    let fits = token.len() <= most && token.bytes().next().is_some_and(letter) && token.bytes().all(follows);
    if fits { Ok(()) } else { Err(schema(format!("{member}: expected 1 to {most} of a-z, 0-9, '_', '-'"))) }
}
