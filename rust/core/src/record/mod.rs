//! The two-section record of MMP 2.0 (§8.8): seven categories and the metadata that signs them.
//!
//! What is kept is the canonical signed projection (§8.8.5 step 1): nothing unsigned survives parsing.
//! [`Unverified`] is what a peer claimed; [`Verified`] passed every check of §8.8.5 or was signed here.

mod application;
mod canonical;
#[cfg(test)]
mod canonical_tests;
mod draft;
pub mod lines;
mod parse;
mod wire;
mod write;

pub use application::Application;
pub(crate) use canonical::Clear;
pub use draft::Draft;

use crate::category::{COUNT, Category};
use crate::error::Refusal;
use crate::id::{AssertionId, CategoryKey, ContentKey, NodeId};

/// The only address scheme of MMP 2.0.
pub const ADDRESS_SCHEME: &str = "mmp-cmb-merkle-v2";
/// The only signature suite of MMP 2.0.
pub const SIGNATURE_SUITE: &str = "mmp-sig-v2.0";
/// What covey writes as the unsigned `lineage.method`, which the published schema requires.
pub const LINEAGE_METHOD: &str = "svaf";

/// One category of a record: its text, its address, and the parents it descends from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryEntry {
    /// The text, in normal form C.
    pub text: String,
    /// The address of the text (claimed, until verified).
    pub key: CategoryKey,
    /// What this category descends from, bytewise sorted, no repeats.
    pub parents: Vec<String>,
}

/// The signed metadata of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Address of the cognition (claimed, until verified).
    pub key: ContentKey,
    /// Identity of this author's assertion (claimed, until verified).
    pub assertion_id: AssertionId,
    /// The author's node.
    pub author: NodeId,
    /// The author's label, for people; never for identity or routing.
    pub author_label: String,
    /// When the author says it was made, in milliseconds since the epoch.
    pub created_ms: u64,
    /// The room it belongs to.
    pub room: String,
    /// The one recipient, or nobody in particular.
    pub to: Option<NodeId>,
    /// Direct parents, bytewise sorted, no repeats.
    pub parents: Vec<ContentKey>,
    /// Application bytes that travel with it.
    pub application: Option<Application>,
    /// The Ed25519 signature over the payload of §8.8.4.
    pub signature: [u8; 64],
}

/// A record in its canonical signed projection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The seven categories in order.
    pub categories: [CategoryEntry; COUNT],
    /// What is signed about them.
    pub metadata: Metadata,
}

/// The schema of the application section that makes a directed record a message between agents. Memory never takes one.
pub const MESSAGE_SCHEMA: &str = "urn:covey:message:1";

impl Record {
    /// Whether it is a message between agents: directed, and its application section says so.
    pub fn is_message(&self) -> bool {
        let application = self.metadata.application.as_ref();
        self.metadata.to.is_some() && application.is_some_and(|held| held.schema() == MESSAGE_SCHEMA)
    }

    /// The text of one category.
    pub fn text(&self, category: Category) -> &str {
        &self.categories[category.index()].text
    }

    /// The seven texts in order.
    pub fn texts(&self) -> [&str; COUNT] {
        std::array::from_fn(|index| self.categories[index].text.as_str())
    }

    /// The canonical bytes: RFC 8785 of the projection.
    pub fn to_json(&self) -> Vec<u8> {
        write::record(self)
    }

    /// The clear metadata of a sealed envelope: every member but the application's data (§18.2.1).
    pub fn envelope_metadata(&self) -> Vec<u8> {
        write::envelope_metadata(&self.metadata)
    }

    /// The plaintext of a sealed envelope: the categories and the application's data (§18.2.1).
    pub fn envelope_plaintext(&self) -> Vec<u8> {
        write::envelope_plaintext(self)
    }
}

/// A record as some peer claims it: well-formed, and nothing more is known.
#[derive(Clone, Debug)]
pub struct Unverified {
    record: Record,
    /// The signed payload, where every digest of the record was computed here and none was claimed.
    derived: Option<Vec<u8>>,
}

impl PartialEq for Unverified {
    /// The same claim, however it came.
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record
    }
}

impl Eq for Unverified {}

impl Unverified {
    /// Read a whole logical record from JSON (§8.8.5 steps 1 and 2).
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        parse::record(json).map(Self::distrust)
    }

    /// Read the two halves of a sealed envelope: its clear metadata and its opened plaintext.
    pub fn from_envelope(metadata: &[u8], plaintext: &[u8]) -> Result<Self, Refusal> {
        parse::envelope(metadata, plaintext).map(Self::distrust)
    }

    /// Read the two halves of an envelope as covey spells them; `None` where they are spelled in another way, which
    /// [`Unverified::from_envelope`] reads or refuses.
    pub(crate) fn from_canonical(clear: &Clear<'_>, plaintext: &[u8]) -> Option<Self> {
        canonical::envelope(clear, plaintext).map(Self::distrust)
    }

    /// Take a record that was read from another form than JSON, in `bytes` bytes, by the rules of the two halves of an
    /// envelope.
    pub(crate) fn from_parts(record: Record, bytes: usize) -> Result<Self, Refusal> {
        parse::check(&record, bytes)?;
        Ok(Self::distrust(record))
    }

    /// Take a record whose digests and signed payload were computed from what it says.
    pub(crate) const fn with_payload(record: Record, payload: Vec<u8>) -> Self {
        Self { record, derived: Some(payload) }
    }

    /// The signed payload, where nothing is left to compare it and the addresses with.
    pub(crate) fn derived_payload(&self) -> Option<&[u8]> {
        self.derived.as_deref()
    }

    /// Read what is claimed. A caller that acts on it acts on hearsay.
    pub fn claimed(&self) -> &Record {
        &self.record
    }

    pub(crate) fn into_record(self) -> Record {
        self.record
    }

    /// Distrust a record, so that it is verified again.
    pub const fn distrust(record: Record) -> Self {
        Self { record, derived: None }
    }
}

/// A record whose address, assertion and signature hold under its author's bound key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified(Record);

impl Verified {
    /// Read the record.
    pub fn record(&self) -> &Record {
        &self.0
    }

    /// Give the record up.
    pub fn into_record(self) -> Record {
        self.0
    }

    pub(crate) fn attest(record: Record) -> Self {
        Self(record)
    }
}

/// A record that nobody here can verify: heard on a wire that proves less (its signature is empty, for what was signed there
/// was not this form), or passed on, of an author whose key is not known. In the form of a record, so that it can be judged,
/// and never a [`Verified`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearsay(Record);

impl Hearsay {
    /// Read the record; whose it is, is what a wire says that proves less.
    pub fn record(&self) -> &Record {
        &self.0
    }

    pub(crate) fn note(record: Record) -> Self {
        Self(record)
    }
}

/// What stands behind a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Its author's signature under the key bound to them.
    Signature,
    /// A peer of the legacy wire said it.
    Legacy,
}

impl Proof {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Legacy => "legacy",
        }
    }

    /// Read the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Signature, Self::Legacy].into_iter().find(|proof| proof.as_str() == word)
    }
}

/// Records in the order one session heard them, on their way to intake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch(pub Vec<Unverified>);
