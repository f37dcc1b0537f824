//! What is signed on this wire, and how far a record can be believed.
//!
//! The key that signs is the one its peer said in a handshake that proves nothing, so [`Standing::Signed`] means: by
//! whoever holds the key this peer showed. Whether that key is the peer's is for the node to remember.

use covey_core::category::Category;
use covey_core::hash::{hex, sha256};
use covey_core::identity::PublicKey;
use covey_core::netstring::Writer;
use covey_core::{Reason, Refusal, signature};

use crate::address::{Scheme, classify};
use crate::record::{Form, LegacyRecord};

/// How far a record can be believed. Never more than this wire can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Signed under the key that the peer who brought it showed, in its own name.
    Signed,
    /// Signed, it says, by somebody whose key this connection does not know.
    Foreign,
    /// Not signed at all.
    Unsigned,
}

impl Standing {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Foreign => "foreign",
            Self::Unsigned => "unsigned",
        }
    }
}

/// The bytes an author signs: `mmp-sig-v2` for two sections, `mmp-sig-v1` for the flat form.
pub fn payload(record: &LegacyRecord) -> Vec<u8> {
    let domain = match record.form {
        Form::TwoSection => "mmp-sig-v2\n",
        Form::Flat => "mmp-sig-v1\n",
    };
    let mut writer = Writer::new(domain);
    writer
        .lp_str(&record.key)
        .lp_str(&record.author_label)
        .lp_u64(record.created_ms)
        .lp_str(record.room.as_deref().unwrap_or_default())
        .lp_str(record.to.as_deref().unwrap_or_default());
    if record.form == Form::TwoSection {
        writer.sorted_list(record.parents.iter().map(String::as_str)).lp_str(&category_parents_commitment(record));
    }
    writer.into_bytes()
}

fn category_parents_commitment(record: &LegacyRecord) -> String {
    let mut writer = Writer::new("mmp-fp-v1\n");
    for (category, entry) in Category::ALL.into_iter().zip(&record.categories) {
        writer.lp_str(category.name()).sorted_list(entry.parents.iter().map(String::as_str));
    }
    hex(&sha256(&[writer.as_bytes()]))
}

/// Check a record's address and, where it can be, its signature.
///
/// `names` are what the peer who brought it calls itself: its name and its node id. A record in another name cannot
/// be checked, whatever it carries.
///
/// # Errors
/// The address is not that of the text, or the signature in the peer's own name does not hold.
pub fn judge(record: &LegacyRecord, names: [&str; 2], key: &PublicKey) -> Result<(Standing, Scheme), Refusal> {
    let scheme = classify(&record.key, record.texts(), &record.parents, &record.author_label);
    let scheme = scheme.ok_or_else(|| Refusal::new(Reason::AddressMismatch, "key: not the address of the text"))?;
    let Some(bytes) = &record.signature else { return Ok((Standing::Unsigned, scheme)) };
    if !names.contains(&record.author_label.as_str()) {
        return Ok((Standing::Foreign, scheme));
    }
    signature::verify_bytes(&payload(record), bytes, key)?;
    Ok((Standing::Signed, scheme))
}
