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

fn batch(records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::default();
    for record in records {
        writer.add(record);
    }
    writer.take()
}

fn plain(text: &str) -> Record {
    let mut draft = Draft::new(NodeId::from_bytes([1; 16]), "a", 1_000, "den").unwrap();
    draft.say(Category::Focus, text).unwrap();
    sign(draft, &key()).unwrap().into_record()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_record_is_the_same_whichever_way_it_travels(records in prop::collection::vec(records(), 1..5)) {
        let read = read(&batch(&records)).unwrap();
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
        prop_assert_eq!(batch(&records).len(), head + records.iter().map(size).sum::<usize>());
    }

    #[test]
    fn what_is_cut_or_goes_on_is_no_batch(record in records(), more in any::<u8>()) {
        let mut whole = batch(&[record]);
        prop_assert!(read(&whole[..whole.len() - 1]).is_err());
        whole.push(more);
        prop_assert!(read(&whole).is_err());
    }

    #[test]
    fn any_bytes_are_a_batch_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(read(&bytes));
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
    let read = read(&batch(&[plain("one"), loud, twice, decomposed, plain("five")])).unwrap();
    assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, false, true]);
    assert_eq!(read[3].as_ref().unwrap_err().reason, Reason::NotNfc);
}

#[test]
fn a_batch_is_full_by_number_or_by_size() {
    let mut writer = Writer::default();
    assert!(writer.is_empty() && !writer.is_full());
    (0..MAX_INTAKE_BATCH).for_each(|_| writer.add(&plain("x")));
    assert!(writer.is_full());
    assert_eq!(read(&writer.take()).unwrap().len(), MAX_INTAKE_BATCH);
    assert!(writer.is_empty());
    writer.add(&plain(&"x".repeat(COMPACT_BATCH_BYTES)));
    assert!(writer.is_full());
}

#[test]
fn the_committed_vector() {
    let vector: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/compact.json")).unwrap();
    let records: Vec<_> = vector["records"].as_array().unwrap().iter().map(ToString::to_string).collect();
    let records: Vec<_> = records.iter().map(|json| Unverified::parse(json.as_bytes()).unwrap()).collect();
    let plain: Vec<_> = records.iter().map(|record| record.claimed().clone()).collect();
    let batch = batch(&plain);
    assert_eq!(hex(&batch), vector["batchHex"].as_str().unwrap());
    let read: Vec<_> = read(&batch).unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(read, records);
    let key = unhex32(vector["keyHex"].as_str().unwrap()).unwrap();
    let session = SessionId::parse(vector["sessionId"].as_str().unwrap()).unwrap();
    let mut lane = Sealer::new(&key, session, Direction::ClientToServer);
    let (sequence, sealed) = lane.seal_bytes(Content::Compact, batch).unwrap();
    assert_eq!(sequence, 0);
    assert_eq!(format!("c1{}{}", "0".repeat(24), hex(&sealed)), vector["frameHex"].as_str().unwrap());
}
