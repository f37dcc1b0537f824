//! Records as this wire carries them: 0.12's two sections, and the flat form of MMP 1.1.
//!
//! What is kept is text in normal form C and what a signature can cover. Vectors, mood numbers, payloads and the
//! stray top-level lineage are dropped: nobody signs them. Category keys are computed here, never read.

mod read;
mod write;

use covey_core::category::{COUNT, Category};
use covey_core::id::{ContentKey, NodeId};
use covey_core::identity::Identity;
use covey_core::record::{CategoryEntry, Draft, Hearsay, Verified};
use covey_core::{Reason, Refusal, address};

pub use read::{read, read_opened, sealed_parts};
pub use write::{clear, sealed};

use crate::signature;

/// Which of the two shapes a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `{categories, metadata}`: signed by `mmp-sig-v2`.
    TwoSection,
    /// `{key, createdBy, createdAt, fields}` of MMP 1.1: signed by `mmp-sig-v1`.
    Flat,
}

/// A record of this wire. Nothing about it is checked by its existence; see [`crate::signature::judge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyRecord {
    /// Which shape it came in.
    pub form: Form,
    /// The seven categories; parents as they were sent.
    pub categories: [CategoryEntry; COUNT],
    /// The address it claims, in any spelling of this wire.
    pub key: String,
    /// The author's name (in 1.1 also a node id).
    pub author_label: String,
    /// When the author says it was made, in milliseconds since the epoch.
    pub created_ms: u64,
    /// The room it says it is for.
    pub room: Option<String>,
    /// The one recipient, or nobody in particular.
    pub to: Option<String>,
    /// Direct parents, as they were sent.
    pub parents: Vec<String>,
    /// An Ed25519 signature, where it carries one.
    pub signature: Option<[u8; 64]>,
}

impl LegacyRecord {
    /// The seven texts in order.
    pub fn texts(&self) -> [&str; COUNT] {
        std::array::from_fn(|index| self.categories[index].text.as_str())
    }

    /// The text of one category.
    pub fn text(&self, category: Category) -> &str {
        &self.categories[category.index()].text
    }

    /// The address that MMP 2.0 gives to these texts, whatever the record claims.
    pub fn content_key(&self) -> ContentKey {
        address::content_key(&self.categories.each_ref().map(|entry| entry.key))
    }
}

impl LegacyRecord {
    /// Note what was heard, in the form that admission judges: `author` is the claimed peer it is attributed to.
    ///
    /// Parents that are no addresses of today are left out, with whatever else that form cannot say.
    ///
    /// # Errors
    /// A name, room or recipient outside today's grammar; or a category without a word, which today's records do not
    /// have: what admission judges would have another address than what was signed.
    pub fn hearsay(&self, author: NodeId, room: &str) -> Result<Hearsay, Refusal> {
        let keys = |parents: &[String]| -> Vec<ContentKey> {
            parents.iter().filter_map(|parent| ContentKey::parse(parent).ok()).collect()
        };
        let mut draft = Draft::new(author, &self.author_label, self.created_ms, room)?;
        for (category, entry) in Category::ALL.into_iter().zip(&self.categories) {
            draft.say(category, &entry.text)?.descend_category(category, &keys(&entry.parents))?;
        }
        draft.descend(&keys(&self.parents))?;
        if let Some(to) = &self.to {
            draft.to(NodeId::parse(to)?);
        }
        let heard = covey_core::signature::attribute(draft)?;
        if heard.record().metadata.key == self.content_key() {
            Ok(heard)
        } else {
            Err(Refusal::new(Reason::AddressMismatch, "key: a category without text has no address today"))
        }
    }
}

/// Say an own record in 0.12's form, signed by `mmp-sig-v2`.
///
/// Parents for which `omit` holds are left out of the signed lineage: a stock peer drops every record that descends
/// from its own as an echo. Categories keep theirs, so the descent stays readable. Application bytes stay behind:
/// this wire would carry them unsigned and in clear.
///
/// # Errors
/// The record is another author's; nobody can sign for them.
pub fn restate(own: &Verified, identity: &Identity, omit: impl Fn(&str) -> bool) -> Result<LegacyRecord, Refusal> {
    let record = own.record();
    if record.metadata.author != identity.node_id() {
        return Err(Refusal::new(Reason::AuthorUnknown, "only an own record can be said again in another form"));
    }
    let mut legacy = LegacyRecord {
        form: Form::TwoSection,
        categories: record.categories.clone(),
        key: record.metadata.key.to_string(),
        author_label: identity.name().to_owned(),
        created_ms: record.metadata.created_ms,
        room: Some(record.metadata.room.clone()),
        to: record.metadata.to.map(|to| to.to_string()),
        parents: record.metadata.parents.iter().map(ToString::to_string).filter(|parent| !omit(parent)).collect(),
        signature: None,
    };
    legacy.signature = Some(identity.key().sign_bytes(&signature::payload(&legacy)));
    Ok(legacy)
}
