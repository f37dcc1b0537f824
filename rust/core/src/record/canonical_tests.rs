use super::canonical::{self, Clear};
use super::{Application, Draft, Record, parse};
use crate::category::Category;
use crate::id::{ContentKey, NodeId};
use crate::identity::SigningKey;
use crate::signature::sign;
use proptest::prelude::*;

prop_compose! {
    fn records()(
        texts in prop::array::uniform7(prop_oneof![4 => "[ -~é]{0,80}", 1 => "\\PC{0,20}", 1 => any::<String>()]),
        label in "[a-zé ]{1,20}",
        created_ms in 0..=crate::limits::MAX_SAFE_INTEGER,
        to in prop::option::of(any::<[u8; 16]>()),
        parents in prop::collection::vec(any::<[u8; 32]>(), 0..4),
        data in prop::option::weighted(0.2, prop::collection::vec(any::<u8>(), 0..40)),
    ) -> Record {
        let mut draft = Draft::new(NodeId::from_bytes([1; 16]), &label, created_ms, "a-room").unwrap();
        for (category, text) in Category::ALL.into_iter().zip(&texts) {
            draft.say(category, text).unwrap();
        }
        let parents: Vec<_> = parents.into_iter().map(ContentKey::from_bytes).collect();
        draft.descend(&parents).unwrap().descend_category(Category::Issue, &parents).unwrap();
        if let Some(to) = to { draft.to(NodeId::from_bytes(to)); }
        if let Some(data) = data { draft.carry(Application::new("text/plain", "urn:x", data).unwrap()); }
        sign(draft, &SigningKey::from_seed(&[3; 32]).unwrap()).unwrap().into_record()
    }
}

/// One byte set, taken out or put in.
fn changed(bytes: &[u8], change: Option<(prop::sample::Index, u8, u8)>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let Some((at, other, how)) = change else { return bytes };
    let at = at.index(bytes.len());
    match how % 3 {
        0 => bytes[at] = other,
        1 => drop(bytes.remove(at)),
        _ => bytes.insert(at, other),
    }
    bytes
}

fn change() -> impl Strategy<Value = Option<(prop::sample::Index, u8, u8)>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\"\\{}[],:0a \n".to_vec())];
    prop::option::of((any::<prop::sample::Index>(), byte, any::<u8>()))
}

fn envelope_both_ways(metadata: &[u8], plaintext: &[u8]) -> (Option<Record>, Option<Record>) {
    let short = std::str::from_utf8(metadata).ok().and_then(Clear::read);
    let short = short.filter(|(_, rest)| rest.is_empty()).and_then(|(clear, _)| canonical::envelope(&clear, plaintext));
    (short, parse::envelope(metadata, plaintext).ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    /// What the short cut takes, the strict reader takes, as the same record.
    #[test]
    fn the_short_cut_takes_nothing_else(record in records(), one in change(), two in change()) {
        let json = changed(&record.to_json(), one);
        if let Some(short) = canonical::record(&json) {
            prop_assert_eq!(Ok(short), parse::strict_record(&json));
        }
        let (metadata, plaintext) = (record.envelope_metadata(), record.envelope_plaintext());
        let (short, strict) = envelope_both_ways(&changed(&metadata, one), &changed(&plaintext, two));
        if short.is_some() {
            prop_assert_eq!(short, strict);
        }
    }

    /// It takes what covey writes, unless a text needs an escape or an application is carried.
    #[test]
    fn the_short_cut_takes_what_covey_writes(record in records()) {
        let escaped = |text: &str| text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
        let plain = record.metadata.application.is_none() && !record.texts().into_iter().any(escaped);
        prop_assert_eq!(canonical::record(&record.to_json()).is_some(), plain);
        let (short, strict) = envelope_both_ways(&record.envelope_metadata(), &record.envelope_plaintext());
        prop_assert_eq!(short.is_some(), plain);
        prop_assert_eq!(strict, Some(record));
    }
}
