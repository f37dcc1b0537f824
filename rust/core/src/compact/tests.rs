use super::pack::{Packer, Unpacker};
use super::*;
use crate::category::Category;
use crate::hash::{hex, unhex32};
use crate::id::SessionId;
use crate::identity::SigningKey;
use crate::record::Draft;
use crate::seal::{Content, Direction, Sealer};
use crate::signature::{sign, verify};
use proptest::prelude::*;

fn key() -> SigningKey {
    SigningKey::from_seed(&[3; 32]).unwrap()
}

prop_compose! {
    fn records()(
        texts in prop::array::uniform7("\\PC{0,40}"),
        created_ms in 0..=crate::limits::MAX_SAFE_INTEGER,
        to in prop::option::of(any::<[u8; 16]>()),
        parents in prop::collection::vec(any::<[u8; 32]>(), 0..20),
        data in prop::option::of(prop::collection::vec(any::<u8>(), 0..400)),
    ) -> Record {
        let mut draft = Draft::new(NodeId::from_bytes([1; 16]), "an author", created_ms, "a-room").unwrap();
        for (category, text) in Category::ALL.into_iter().zip(&texts) {
            draft.say(category, text).unwrap();
        }
        let parents: Vec<_> = parents.into_iter().map(ContentKey::from_bytes).collect();
        draft.descend(&parents).unwrap().descend_category(Category::Issue, &parents).unwrap();
        if let Some(to) = to { draft.to(NodeId::from_bytes(to)); }
        if let Some(data) = data { draft.carry(Application::new("text/plain", "urn:x", data).unwrap()); }
        sign(draft, &key()).unwrap().into_record()
    }
}

fn batch(records: &[Record], version: Version) -> Vec<u8> {
    let mut writer = Writer::new(version);
    for record in records {
        writer.add(record);
    }
    writer.take()
}

pub(super) fn plain(text: &str) -> Record {
    let mut draft = Draft::new(NodeId::from_bytes([1; 16]), "a", 1_000, "den").unwrap();
    draft.say(Category::Focus, text).unwrap();
    sign(draft, &key()).unwrap().into_record()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_record_is_the_same_whichever_way_it_travels(
        records in prop::collection::vec(records(), 1..5),
        version in prop::sample::select(vec![Version::One, Version::Two]),
    ) {
        let read = read(&batch(&records, version), version).unwrap();
        for (record, read) in records.iter().zip(read) {
            let read = read.unwrap();
            prop_assert_eq!(read.claimed(), record);
            let json = Unverified::from_envelope(&record.envelope_metadata(), &record.envelope_plaintext()).unwrap();
            prop_assert_eq!(&read, &json);
            prop_assert!(verify(read, key().public()).is_ok());
        }
    }

    #[test]
    fn a_records_size_is_what_it_takes_in_a_batch(records in prop::collection::vec(records(), 1..20)) {
        let head = pack::array_size(records.len());
        prop_assert_eq!(batch(&records, Version::One).len(), head + records.iter().map(size).sum::<usize>());
    }

    #[test]
    fn what_is_cut_or_goes_on_is_no_batch(record in records(), more in any::<u8>()) {
        for (version, other) in [(Version::One, Version::Two), (Version::Two, Version::One)] {
            let mut whole = batch(std::slice::from_ref(&record), version);
            prop_assert!(read(&whole, other).is_err());
            prop_assert!(read(&whole[..whole.len() - 1], version).is_err());
            whole.push(more);
            prop_assert!(read(&whole, version).is_err());
        }
    }

    #[test]
    fn any_bytes_are_a_batch_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(read(&bytes, Version::One));
        drop(read(&bytes, Version::Two));
    }

    #[test]
    fn values_have_one_spelling(number: u64, text in "\\PC{0,300}", length in 0..70_000_usize) {
        let mut packer = Packer::default();
        packer.uint(number);
        packer.text(&text);
        packer.bytes(&vec![7; length]);
        packer.array(length);
        let sizes = pack::uint_size(number) + pack::text_size(text.len()) + pack::bytes_size(length);
        prop_assert_eq!(packer.0.len(), sizes + pack::array_size(length));
        let mut input = Unpacker(&packer.0);
        prop_assert_eq!(input.uint(), Some(number));
        prop_assert_eq!(input.text(), Some(text.as_str()));
        prop_assert_eq!(input.bytes().map(<[u8]>::len), Some(length));
        let mut room = input.0.to_vec();
        room.resize(room.len() + length, 0);
        prop_assert_eq!(Unpacker(&room).array(), Some(length));
    }
}

#[test]
fn longer_spellings_are_refused() {
    for bytes in [&[0xcc, 0x7f][..], &[0xcd, 0, 0xff], &[0xce, 0, 0, 0xff, 0xff], &[0xcf, 0, 0, 0, 0, 1, 2, 3, 4]] {
        assert_eq!(Unpacker(bytes).uint(), None, "{bytes:?}");
    }
    assert_eq!(Unpacker(&[0xd9, 1, b'a']).text(), None);
    assert_eq!(Unpacker(&[0xc5, 0, 1, 7]).bytes(), None);
    assert_eq!(Unpacker(&[0xdc, 0, 1, 7]).array(), None);
    assert_eq!(Unpacker(&[0xdd, 0xff, 0xff, 0xff, 0xff]).array(), None, "more values than bytes");
}

#[test]
fn one_record_that_breaks_a_rule_is_refused_alone() {
    let mut loud = plain("two");
    loud.metadata.room = "No Room".to_owned();
    let mut twice = plain("three");
    twice.metadata.parents = vec![ContentKey::from_bytes([1; 32]); 2];
    let mut decomposed = plain("four");
    decomposed.categories[0].text = "e\u{301}".to_owned();
    let records = [plain("one"), loud, twice, decomposed, plain("five")];
    for version in [Version::One, Version::Two] {
        let read = read(&batch(&records, version), version).unwrap();
        assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, false, true]);
        assert_eq!(read[3].as_ref().unwrap_err().reason, Reason::NotNfc);
    }
}

#[test]
fn a_batch_is_full_by_number_or_by_size() {
    let mut writer = Writer::default();
    assert!(writer.is_empty() && !writer.is_full());
    (0..MAX_INTAKE_BATCH).for_each(|_| writer.add(&plain("x")));
    assert!(writer.is_full());
    assert_eq!(read(&writer.take(), Version::One).unwrap().len(), MAX_INTAKE_BATCH);
    assert!(writer.is_empty());
    writer.add(&plain(&"x".repeat(COMPACT_BATCH_BYTES)));
    assert!(writer.is_full());
}

#[test]
fn what_version_2_cannot_say_is_another_record_there_and_does_not_verify() {
    let (mut said, mut keyed, mut signed) = (plain("one"), plain("two"), plain("three"));
    said.categories[0].text = "other".to_owned();
    keyed.metadata.key = ContentKey::from_bytes([1; 32]);
    signed.metadata.signature[0] ^= 1;
    let records = [said, keyed.clone(), signed];
    let read = read(&batch(&records, Version::Two), Version::Two).unwrap();
    let verified: Vec<_> = read.into_iter().map(|record| verify(record.unwrap(), key().public())).collect();
    let reason = |place: usize| verified[place].as_ref().unwrap_err().1.reason;
    assert_eq!([reason(0), reason(2)], [Reason::BadSignature; 2]);
    // A digest that is not sent is the right one.
    assert_ne!(verified[1].as_ref().unwrap().record(), &keyed);
    assert_eq!(verified[1].as_ref().unwrap().record(), &plain("two"));
}

#[test]
fn version_2_is_offered_beside_the_first() {
    assert_eq!(Version::offered(&[TOKEN, TOKEN_2]), Some(Version::Two));
    assert_eq!(Version::offered(&["x", TOKEN]), Some(Version::One));
    assert_eq!(Version::offered(&[TOKEN_2]), None);
}

fn vector(text: &str, version: Version, mark: &str) -> serde_json::Value {
    let vector: serde_json::Value = serde_json::from_str(text).unwrap();
    let records: Vec<_> = vector["records"].as_array().unwrap().iter().map(ToString::to_string).collect();
    let records: Vec<_> = records.iter().map(|json| Unverified::parse(json.as_bytes()).unwrap()).collect();
    let plain: Vec<_> = records.iter().map(|record| record.claimed().clone()).collect();
    let batch = batch(&plain, version);
    assert_eq!(hex(&batch), vector["batchHex"].as_str().unwrap());
    let read: Vec<_> = read(&batch, version).unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(read, records);
    let key = unhex32(vector["keyHex"].as_str().unwrap()).unwrap();
    let session = SessionId::parse(vector["sessionId"].as_str().unwrap()).unwrap();
    let mut lane = Sealer::new(&key, session, Direction::ClientToServer);
    let (sequence, sealed) = lane.seal_bytes(Content::Compact(version), batch).unwrap();
    assert_eq!(sequence, 0);
    assert_eq!(format!("{mark}{}{}", "0".repeat(24), hex(&sealed)), vector["frameHex"].as_str().unwrap());
    vector
}

fn bytes_of(value: &serde_json::Value) -> Vec<u8> {
    let text = value["batchHex"].as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_committed_vectors() {
    vector(include_str!("../../tests/vectors/compact.json"), Version::One, "c1");
    let second = vector(include_str!("../../tests/vectors/compact-2.json"), Version::Two, "c0");
    for case in second["noBatch"].as_array().unwrap() {
        let refusal = read(&bytes_of(case), Version::Two).unwrap_err();
        assert_eq!(refusal.reason, Reason::MalformedFrame, "{}", case["name"]);
    }
    for case in second["noRecord"].as_array().unwrap() {
        let outcome = read(&bytes_of(case), Version::Two).unwrap().remove(0);
        let reason = match outcome {
            Err(refusal) => refusal.reason,
            Ok(record) => verify(record, key().public()).unwrap_err().1.reason,
        };
        assert_eq!(reason.as_str(), case["reason"].as_str().unwrap(), "{}", case["name"]);
    }
}
