//! The compact profile between covey peers (`x-covey-compact-v1`, `-v2`): several signed records as one sealed
//! `MessagePack` value instead of one JSON envelope each (docs/protocol.md). Version 2 leaves out the nine digests that a
//! receiver computes anyway.
//!
//! Rules: a record is the same record, with the same bytes signed, whichever way it travels; nothing is judged here. What
//! is no batch is refused as a whole; a record in it that breaks a rule of records is refused by itself.

mod pack;
mod parts;
#[cfg(test)]
mod tests;

pub(crate) use parts::{Found, Part, Parts};

use crate::category::COUNT;
use crate::error::{Reason, Refusal};
use crate::id::{AssertionId, CategoryKey, ContentKey, NodeId};
use crate::limits::{COMPACT_BATCH_BYTES, MAX_INTAKE_BATCH};
use crate::record::{Application, CategoryEntry, Metadata, Record, Unverified};
use crate::signature;
use pack::{Packer, Unpacker};

/// The token that both sides offer.
pub const TOKEN: &str = "x-covey-compact-v1";
/// The token of version 2, offered beside the first.
pub const TOKEN_2: &str = "x-covey-compact-v2";

/// How a batch spells records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// With every digest.
    #[default]
    One,
    /// Without those that follow from what is said: the key, the assertion id, the seven category keys.
    Two,
}

impl Version {
    /// The newest that these tokens, offered by both sides, allow.
    pub fn offered<T: AsRef<str>>(tokens: &[T]) -> Option<Self> {
        let offers = |token: &str| tokens.iter().any(|offered| offered.as_ref() == token);
        let newest = if offers(TOKEN_2) { Self::Two } else { Self::One };
        offers(TOKEN).then_some(newest)
    }

    /// Values of one record.
    const fn members(self) -> usize {
        match self {
            Self::One => 11,
            Self::Two => 9,
        }
    }

    /// Values of one record's categories.
    const fn said(self) -> usize {
        match self {
            Self::One => COUNT * 3,
            Self::Two => COUNT * 2,
        }
    }
}

/// Records on their way into one batch.
#[derive(Debug, Default)]
pub struct Writer {
    records: Packer,
    count: usize,
    version: Version,
}

impl Writer {
    /// An empty batch of a version.
    pub fn new(version: Version) -> Self {
        Self { version, ..Self::default() }
    }

    /// How it spells records.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Whether the batch should go before another record joins it.
    pub fn is_full(&self) -> bool {
        self.count >= MAX_INTAKE_BATCH || self.records.0.len() >= COMPACT_BATCH_BYTES
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Add a record. One that is added to a batch of version 2 has the digests that follow from what it says, or
    /// another record is read there.
    pub fn add(&mut self, record: &Record) {
        self.count += 1;
        let (out, metadata, digests) = (&mut self.records, &record.metadata, self.version == Version::One);
        out.array(self.version.members());
        if digests {
            out.bytes(metadata.key.as_bytes());
            out.bytes(metadata.assertion_id.as_bytes());
        }
        out.bytes(metadata.author.as_bytes());
        out.text(&metadata.author_label);
        out.uint(metadata.created_ms);
        out.text(&metadata.room);
        match &metadata.to {
            Some(to) => out.bytes(to.as_bytes()),
            None => out.nil(),
        }
        out.array(metadata.parents.len());
        metadata.parents.iter().for_each(|parent| out.bytes(parent.as_bytes()));
        out.bytes(&metadata.signature);
        match &metadata.application {
            Some(application) => {
                out.array(3);
                out.text(application.media_type());
                out.text(application.schema());
                out.bytes(application.data());
            }
            None => out.nil(),
        }
        out.array(self.version.said());
        for entry in &record.categories {
            out.text(&entry.text);
            if digests {
                out.bytes(entry.key.as_bytes());
            }
            out.array(entry.parents.len());
            entry.parents.iter().for_each(|parent| out.text(parent));
        }
    }

    /// The batch, and an empty one in its place.
    pub fn take(&mut self) -> Vec<u8> {
        let Self { records, count, .. } = std::mem::replace(self, Self::new(self.version));
        let mut batch = Packer(Vec::with_capacity(records.0.len() + 8));
        batch.array(count);
        batch.0.extend_from_slice(&records.0);
        batch.0
    }
}

/// Bytes of a record in a batch of version 1: what credit counts, in whichever form it travels.
pub fn size(record: &Record) -> usize {
    let metadata = &record.metadata;
    let key = pack::bytes_size(32);
    let own = 2 * key + pack::bytes_size(16) + pack::bytes_size(64) + pack::array_size(Version::One.members());
    let said = pack::text_size(metadata.author_label.len()) + pack::text_size(metadata.room.len());
    let to = metadata.to.map_or(1, |_| pack::bytes_size(16));
    let parents = pack::array_size(metadata.parents.len()) + metadata.parents.len() * key;
    let application = metadata.application.as_ref().map_or(1, |application| {
        let (media_type, schema) = (application.media_type().len(), application.schema().len());
        1 + pack::text_size(media_type) + pack::text_size(schema) + pack::bytes_size(application.data().len())
    });
    let category = |entry: &CategoryEntry| {
        let parents: usize = entry.parents.iter().map(|parent| pack::text_size(parent.len())).sum();
        pack::text_size(entry.text.len()) + key + pack::array_size(entry.parents.len()) + parents
    };
    let categories = pack::array_size(Version::One.said()) + record.categories.iter().map(category).sum::<usize>();
    own + said + pack::uint_size(metadata.created_ms) + to + parents + application + categories
}

/// What stands in a record's place in a batch: it, or why it is none.
pub type Entry = Result<Unverified, Refusal>;

/// Read a batch: each record, or why it is none.
///
/// # Errors
/// The bytes are no array of at most [`MAX_INTAKE_BATCH`] records of the right shape, or something stands behind it.
pub fn read(batch: &[u8], version: Version) -> Result<Vec<Entry>, Refusal> {
    let mut input = Unpacker(batch);
    let count = count(&mut input).ok_or_else(|| shape("expected an array of 1 to 256 records"))?;
    let records = entries(&mut input, count, version)?;
    if input.0.is_empty() { Ok(records) } else { Err(shape("bytes behind the batch")) }
}

fn shape(detail: &str) -> Refusal {
    Refusal::new(Reason::MalformedFrame, format!("compact: {detail}"))
}

/// Take the head of a batch: how many records follow.
fn count(input: &mut Unpacker<'_>) -> Option<usize> {
    input.array().filter(|count| (1..=MAX_INTAKE_BATCH).contains(count))
}

/// Take so many records.
fn entries(input: &mut Unpacker<'_>, count: usize, version: Version) -> Result<Vec<Entry>, Refusal> {
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        let (record, bytes) = record(input, version).ok_or_else(|| shape("a record of another shape"))?;
        records.push(record.and_then(|record| match version {
            Version::One => Unverified::from_parts(record, bytes),
            Version::Two => signature::derive(record, bytes),
        }));
    }
    Ok(records)
}

/// Take one record and the number of its bytes; the inner result is what its application section breaks.
///
/// The digests that version 2 leaves out are zeros here; whoever takes the record derives them.
fn record(input: &mut Unpacker<'_>, version: Version) -> Option<(Result<Record, Refusal>, usize)> {
    let before = input.0.len();
    if input.array()? != version.members() {
        return None;
    }
    let digest = |input: &mut Unpacker<'_>| match version {
        Version::One => input.exactly(),
        Version::Two => Some([0; 32]),
    };
    let mut metadata = Metadata {
        key: ContentKey::from_bytes(digest(input)?),
        assertion_id: AssertionId::from_bytes(digest(input)?),
        author: NodeId::from_bytes(input.exactly()?),
        author_label: input.text()?.to_owned(),
        created_ms: input.uint()?,
        room: input.text()?.to_owned(),
        to: if input.nil() { None } else { Some(NodeId::from_bytes(input.exactly()?)) },
        parents: list(input, |input| input.exactly().map(ContentKey::from_bytes))?,
        signature: input.exactly()?,
        application: None,
    };
    let application = if input.nil() { None } else { Some(application(input)?) };
    if input.array()? != version.said() {
        return None;
    }
    let mut entries = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let text = input.text()?.to_owned();
        let key = CategoryKey::from_bytes(digest(input)?);
        entries.push(CategoryEntry { text, key, parents: list(input, |input| input.text().map(str::to_owned))? });
    }
    let categories = <[CategoryEntry; COUNT]>::try_from(entries).ok()?;
    let bytes = before - input.0.len();
    let whole = match application.transpose() {
        Ok(application) => {
            metadata.application = application;
            Ok(Record { categories, metadata })
        }
        Err(refusal) => Err(refusal),
    };
    Some((whole, bytes))
}

fn application(input: &mut Unpacker<'_>) -> Option<Result<Application, Refusal>> {
    if input.array()? != 3 {
        return None;
    }
    let (media_type, schema, data) = (input.text()?, input.text()?, input.bytes()?);
    Some(Application::received(media_type, schema, data.to_vec()))
}

fn list<'a, T>(input: &mut Unpacker<'a>, item: impl Fn(&mut Unpacker<'a>) -> Option<T>) -> Option<Vec<T>> {
    let count = input.array()?;
    (0..count).map(|_| item(input)).collect()
}
