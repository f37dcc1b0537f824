//! What an author wants to say, checked and normalised, before it is signed.

use super::parse::{check_author, check_text};
use super::{Application, CategoryEntry, Metadata, Record};
use crate::address;
use crate::category::{COUNT, Category, NEUTRAL};
use crate::error::{Reason, Refusal};
use crate::id::{AssertionId, ContentKey, NodeId};
use crate::{limits, text};

/// A record without its signature. A draft that exists can be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    texts: [String; COUNT],
    category_parents: [Vec<String>; COUNT],
    author: NodeId,
    author_label: String,
    created_ms: u64,
    room: String,
    to: Option<NodeId>,
    parents: Vec<ContentKey>,
    application: Option<Application>,
}

impl Draft {
    /// Start a draft with all seven categories neutral.
    ///
    /// `author_label` and texts are brought to normal form C, so that one assertion has one byte form.
    pub fn new(author: NodeId, author_label: &str, created_ms: u64, room: &str) -> Result<Self, Refusal> {
        let author_label = text::nfc(author_label).into_owned();
        check_author(&author_label)?;
        text::check_room(room)?;
        if created_ms > limits::MAX_SAFE_INTEGER {
            return Err(Refusal::new(Reason::InvalidArgument, "created_ms: beyond the safe integers"));
        }
        Ok(Self {
            texts: std::array::from_fn(|_| NEUTRAL.to_owned()),
            category_parents: std::array::from_fn(|_| Vec::new()),
            author,
            author_label,
            created_ms,
            room: room.to_owned(),
            to: None,
            parents: Vec::new(),
            application: None,
        })
    }

    /// Set one category's text; an empty text is minted as neutral (§14.3.2).
    pub fn say(&mut self, category: Category, said: &str) -> Result<&mut Self, Refusal> {
        let said = if said.is_empty() { NEUTRAL.into() } else { text::nfc(said) };
        check_text(&said, category.name())?;
        self.texts[category.index()] = said.into_owned();
        Ok(self)
    }

    /// Name what one category descends from; sorted, repeats removed.
    pub fn descend_category(&mut self, category: Category, parents: &[ContentKey]) -> Result<&mut Self, Refusal> {
        let mut parents: Vec<String> = unique(parents)?.iter().map(ContentKey::to_string).collect();
        parents.sort_unstable();
        self.category_parents[category.index()] = parents;
        Ok(self)
    }

    /// Name the direct parents; sorted, repeats removed.
    pub fn descend(&mut self, parents: &[ContentKey]) -> Result<&mut Self, Refusal> {
        self.parents = unique(parents)?;
        Ok(self)
    }

    /// Address it to one node.
    pub fn to(&mut self, recipient: NodeId) -> &mut Self {
        self.to = Some(recipient);
        self
    }

    /// Add application bytes.
    pub fn carry(&mut self, application: Application) -> &mut Self {
        self.application = Some(application);
        self
    }

    /// The author's node.
    pub const fn author(&self) -> NodeId {
        self.author
    }

    /// The record with its address, and placeholders where the assertion and signature will stand.
    pub(crate) fn into_unsigned(self) -> Result<Record, Refusal> {
        let total: usize = self.texts.iter().map(String::len).sum();
        if total > limits::MAX_RECORD_TEXT_BYTES {
            let detail = format!("categories: {total} bytes, at most {}", limits::MAX_RECORD_TEXT_BYTES);
            return Err(Refusal::new(Reason::TooLarge, detail));
        }
        let keys = address::category_keys(std::array::from_fn(|index| self.texts[index].as_str()));
        let mut parents = self.category_parents.into_iter();
        let mut texts = self.texts.into_iter();
        let categories = keys.map(|key| CategoryEntry {
            text: texts.next().unwrap_or_default(),
            key,
            parents: parents.next().unwrap_or_default(),
        });
        let metadata = Metadata {
            key: address::content_key(&keys),
            assertion_id: AssertionId::from_bytes([0; 32]),
            author: self.author,
            author_label: self.author_label,
            created_ms: self.created_ms,
            room: self.room,
            to: self.to,
            parents: self.parents,
            application: self.application,
            signature: [0; 64],
        };
        let record = Record { categories, metadata };
        let size = record.to_json().len();
        if size > limits::MAX_RECORD_BYTES {
            let detail = format!("record: {size} bytes, at most {}", limits::MAX_RECORD_BYTES);
            return Err(Refusal::new(Reason::TooLarge, detail));
        }
        Ok(record)
    }
}

fn unique(parents: &[ContentKey]) -> Result<Vec<ContentKey>, Refusal> {
    let mut parents = parents.to_vec();
    parents.sort_unstable();
    parents.dedup();
    if parents.len() > limits::MAX_PARENTS {
        let detail = format!("parents: {}, at most {}", parents.len(), limits::MAX_PARENTS);
        return Err(Refusal::new(Reason::TooLarge, detail));
    }
    Ok(parents)
}
