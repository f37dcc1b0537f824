//! A record read in the one spelling that covey writes: members in order, no white space, no escapes, lists sorted.
//!
//! Rules: this is a short cut and no other grammar. What it takes, the strict reader (`parse`) takes as the same record;
//! whatever else comes is `None` here, and the strict reader's to read or to refuse, in its own words.

use memchr::memchr2;

use super::parse;
use super::write::SORTED;
use super::{ADDRESS_SCHEME, CategoryEntry, LINEAGE_METHOD, Metadata, Record, SIGNATURE_SUITE};
use crate::base64url;
use crate::category::COUNT;
use crate::hash::unhex32;
use crate::id::{AssertionId, CategoryKey, ContentKey, NodeId};
use crate::limits;
use crate::seal::Subject;

/// The clear metadata of a record without application, as it stands in its envelope.
#[derive(Clone, Copy, Debug)]
pub struct Clear<'a> {
    key: &'a str,
    assertion_id: &'a str,
    author: &'a str,
    room: &'a str,
    to: Option<&'a str>,
    label: &'a str,
    created_ms: u64,
    /// The inside of the list of parents, quotes and commas included.
    parents: &'a str,
    signature: &'a str,
    /// Bytes of JSON that it was read from.
    length: usize,
}

impl<'a> Clear<'a> {
    /// Read metadata at the front of `text`: it, and what stands behind it.
    pub(crate) fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let mut input = Cursor(text);
        input.word("{\"addressScheme\":\"")?.word(ADDRESS_SCHEME)?;
        let assertion_id = input.word("\",\"application\":null,\"assertionId\":\"")?.plain()?;
        let label = input.word(",\"createdBy\":\"")?.plain()?;
        let author = input.word(",\"createdByNodeId\":\"")?.plain()?;
        let created_ms = input.word(",\"createdTimestamp\":")?.number()?;
        let key = input.word(",\"key\":\"")?.plain()?;
        let parents = input.word(",\"lineage\":")?.lineage()?;
        let room = input.word(",\"room\":\"")?.plain()?;
        let signature = input.word(",\"sig\":\"")?.plain()?;
        input.word(",\"sigAlg\":\"ed25519\",\"signatureSuite\":\"")?.word(SIGNATURE_SUITE)?.word("\",\"to\":")?;
        let to = if input.takes("null") { None } else { Some(input.word("\"")?.plain()?) };
        let rest = input.word("}")?.0;
        let length = text.len() - rest.len();
        Some((Self { key, assertion_id, author, room, to, label, created_ms, parents, signature, length }, rest))
    }

    /// What the seal binds of it.
    pub(crate) const fn subject(&self) -> Subject<'a> {
        Subject { key: self.key, assertion_id: self.assertion_id, node_id: self.author, room: self.room, to: self.to }
    }

    fn metadata(&self) -> Option<Metadata> {
        Some(Metadata {
            key: ContentKey::parse(self.key).ok()?,
            assertion_id: AssertionId::parse(self.assertion_id).ok()?,
            author: NodeId::parse(self.author).ok()?,
            author_label: self.label.to_owned(),
            created_ms: self.created_ms,
            room: self.room.to_owned(),
            to: self.to.map(NodeId::parse).transpose().ok()?,
            parents: quoted(self.parents).map(|parent| ContentKey::parse(parent).ok()).collect::<Option<_>>()?,
            application: None,
            signature: base64url::decode_signature(self.signature.as_bytes())?,
        })
    }
}

/// Read the two halves of an envelope.
pub fn envelope(clear: &Clear<'_>, plaintext: &[u8]) -> Option<Record> {
    let mut input = Cursor(std::str::from_utf8(plaintext).ok()?);
    let categories = input.word("{\"categories\":")?.categories()?;
    input.word("}")?.end()?;
    checked(Record { categories, metadata: clear.metadata()? }, clear.length + plaintext.len())
}

/// Read a whole record without application.
pub fn record(json: &[u8]) -> Option<Record> {
    let mut input = Cursor(std::str::from_utf8(json).ok()?);
    let categories = input.word("{\"categories\":")?.categories()?;
    let (clear, rest) = Clear::read(input.word(",\"metadata\":")?.0)?;
    Cursor(rest).word("}")?.end()?;
    checked(Record { categories, metadata: clear.metadata()? }, json.len())
}

/// Hold a record to every rule on its values; one that is near a bound of size is left to the strict reader.
fn checked(record: Record, bytes: usize) -> Option<Record> {
    let in_bounds = bytes <= limits::MAX_RECORD_BYTES / 2 && parse::check_values(&record).is_ok();
    in_bounds.then_some(record)
}

/// Reads from the front; `None` where something else stands.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn word(&mut self, expected: &str) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(self)
    }

    fn takes(&mut self, expected: &str) -> bool {
        self.word(expected).is_some()
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    /// Take a text and the quote that ends it. One with an escape or a control character is not for here.
    fn plain(&mut self) -> Option<&'a str> {
        let end = memchr2(b'"', b'\\', self.0.as_bytes())?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        // Asked of all of them at once, without a branch for each.
        let controls = text.bytes().fold(0, |found, byte| found | u8::from(byte < 0x20));
        (controls == 0).then_some(text)
    }

    /// Take the address in hexadecimal digits and the quote behind it.
    fn key(&mut self) -> Option<CategoryKey> {
        let (digits, rest) = self.0.split_at_checked(64)?;
        self.0 = rest.strip_prefix('"')?;
        unhex32(digits).map(CategoryKey::from_bytes)
    }

    /// Take a whole number that an f64 holds exactly.
    fn number(&mut self) -> Option<u64> {
        let length = self.0.bytes().take(17).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let canonical = digits == "0" || !digits.starts_with('0');
        if canonical { digits.parse().ok() } else { None }
    }

    /// Take null, or an object with a list of parents: its inside.
    fn lineage(&mut self) -> Option<&'a str> {
        if self.takes("null") {
            return Some("");
        }
        self.word("{")?;
        if self.takes("\"method\":\"") {
            self.word(LINEAGE_METHOD)?.word("\",")?;
        }
        let parents = self.word("\"parents\":[")?.list()?;
        self.word("}")?;
        Some(parents)
    }

    /// Take what is left of a list of plain texts: its inside.
    fn list(&mut self) -> Option<&'a str> {
        let before = self.0;
        if self.takes("]") {
            return Some("");
        }
        loop {
            self.word("\"")?.plain()?;
            if self.takes("]") {
                return before.get(..before.len() - self.0.len() - 1);
            }
            self.word(",")?;
        }
    }

    fn categories(&mut self) -> Option<[CategoryEntry; COUNT]> {
        let mut found: [Option<CategoryEntry>; COUNT] = [const { None }; COUNT];
        let mut lead = "{\"";
        for category in SORTED {
            self.word(lead)?.word(category.name())?;
            lead = ",\"";
            let key = self.word("\":{\"meta\":{\"key\":\"")?.key()?;
            let parents = self.word(",\"parents\":[")?.list()?;
            let parents = quoted(parents).map(str::to_owned).collect();
            let text = self.word("},\"text\":\"")?.plain()?.to_owned();
            self.word("}")?;
            found[category.index()] = Some(CategoryEntry { text, key, parents });
        }
        self.word("}")?;
        let [Some(focus), Some(issue), Some(intent), Some(motivation), Some(commitment), Some(perspective), Some(mood)] =
            found
        else {
            return None;
        };
        Some([focus, issue, intent, motivation, commitment, perspective, mood])
    }
}

/// The texts in the inside of a list, as [`Cursor::list`] took it.
fn quoted(inside: &str) -> impl Iterator<Item = &str> {
    let mut input = Cursor(inside);
    std::iter::from_fn(move || {
        let text = input.word("\"")?.plain()?;
        input.takes(",");
        Some(text)
    })
}
