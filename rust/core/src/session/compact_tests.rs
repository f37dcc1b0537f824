//! Batches of the compact profile between two sessions: the same records, in the same order, under the same rules.

use std::sync::Arc;

use super::*;
use crate::category::Category;
use crate::compact;
use crate::error::Reason;
use crate::handshake::{Established, Implementation};
use crate::identity::{Identity, SigningKey};
use crate::record::Draft;
use crate::seal::Content;
use crate::signature;

fn config(byte: u8, tokens: &[&str]) -> Config {
    let key = SigningKey::from_seed(&[byte; 32]).unwrap();
    Config {
        identity: Arc::new(Identity::new(NodeId::from_bytes([byte; 16]), "a peer", key).unwrap()),
        room: "den".to_owned(),
        implementation: Implementation { name: "covey".to_owned(), version: "0".to_owned() },
        extensions: tokens.iter().map(ToString::to_string).collect(),
    }
}

fn pair(alices: &[&str], bobs: &[&str]) -> (Session, Session) {
    let mut alice = Session::client(config(1, alices), &Entropy::new([1; 64]), None).unwrap();
    let mut bob = Session::server(config(2, bobs), &Entropy::new([2; 64])).unwrap();
    drop(bob.receive(&alice.take_output()));
    drop(alice.receive(&bob.take_output()));
    drop(bob.receive(&alice.take_output()));
    alice.send_anchors(&[]).unwrap();
    drop(bob.receive(&alice.take_output()));
    (alice, bob)
}

/// Alice's keys in the hands of a test that seals what no session of ours would.
fn mallory() -> (Established, Session) {
    mallory_of(&[compact::TOKEN])
}

fn mallory_of(tokens: &[&str]) -> (Established, Session) {
    let (client, hello) = Client::start(config(1, tokens), &Entropy::new([1; 64]), None).unwrap();
    let mut bob = Session::server(config(2, tokens), &Entropy::new([2; 64])).unwrap();
    let framed = |body: &[u8]| {
        let mut out = Vec::new();
        frame::encode(body, &mut out).unwrap();
        out
    };
    drop(bob.receive(&framed(&hello)));
    let (established, finish) = client.receive(&bob.take_output()[4..]).unwrap();
    assert_eq!(bob.receive(&framed(&finish)).len(), 1);
    (established, bob)
}

fn sealed(established: &mut Established, batch: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let sealer = &mut established.sealer;
    frame::encode_with(&mut out, |out| envelope::write_compact(sealer, compact::Version::One, batch.to_vec(), out))
        .unwrap();
    out
}

fn records(count: usize) -> Vec<Verified> {
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    let record = |number: usize| {
        let mut draft = Draft::new(NodeId::from_bytes([1; 16]), "a", 1_000, "den").unwrap();
        draft.say(Category::Focus, &format!("thing {number}")).unwrap();
        signature::sign(draft, &key).unwrap()
    };
    (0..count).map(record).collect()
}

fn heard(events: Vec<Event>) -> Vec<Verified> {
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    let batches = events.into_iter().map(|event| match event {
        Event::Records(batch) => batch.0,
        other => panic!("no records: {other:?}"),
    });
    batches.flatten().map(|record| signature::verify(record, key.public()).unwrap()).collect()
}

#[test]
fn records_of_a_compact_session_are_those_that_were_sent() {
    let (mut alice, mut bob) = pair(&[compact::TOKEN], &["other", compact::TOKEN]);
    let sent = records(600);
    assert_eq!(alice.send_records(&sent), Ok(600));
    let stream = alice.take_output();
    let mut json = pair(&[], &[compact::TOKEN]).0;
    json.send_records(&sent).unwrap();
    assert!(stream.len() * 2 < json.take_output().len());
    // However the stream is cut.
    let events = stream.chunks(997).flat_map(|chunk| bob.receive(chunk)).collect();
    assert_eq!(heard(events), sent);
    // Control frames and single records go on in the same sequence.
    alice.send_control(br#"{"type":"ping"}"#).unwrap();
    alice.send_record(&sent[0]).unwrap();
    let events = bob.receive(&alice.take_output());
    assert!(matches!(&events[..], [Event::Control { .. }, Event::Records(_)]));
}

#[test]
fn a_peer_that_did_not_offer_it_gets_json_and_takes_only_json() {
    for (alices, bobs) in [(&[compact::TOKEN][..], &[][..]), (&[][..], &[compact::TOKEN][..])] {
        let (mut alice, mut bob) = pair(alices, bobs);
        let sent = records(2);
        alice.send_records(&sent).unwrap();
        let stream = alice.take_output();
        assert_eq!(stream[4], b'{');
        assert_eq!(heard(bob.receive(&stream)), sent);
        let mut unasked = Vec::new();
        frame::encode(&[0xc1; 60], &mut unasked).unwrap();
        let events = bob.receive(&unasked);
        assert!(matches!(&events[..], [Event::Refused(_)]), "{events:?}");
    }
}

#[test]
fn version_2_is_spoken_where_both_offer_it_and_version_1_is_heard_all_the_same() {
    let both = [compact::TOKEN, compact::TOKEN_2];
    let sent = records(300);
    for (alices, bobs, mark) in
        [(&both[..], &both[..], 0xc0), (&both[..1], &both[..], 0xc1), (&both[..], &both[..1], 0xc1)]
    {
        let (mut alice, mut bob) = pair(alices, bobs);
        alice.send_records(&sent).unwrap();
        let stream = alice.take_output();
        assert_eq!(stream[4], mark);
        assert_eq!(heard(bob.receive(&stream)), sent);
        let mut unasked = Vec::new();
        frame::encode(&[0xc0; 60], &mut unasked).unwrap();
        let events = bob.receive(&unasked);
        assert!(matches!(&events[..], [Event::Refused(_)]), "{events:?}");
    }
    let (_, mut bob) = pair(&both, &both);
    let (mut established, _) = mallory_of(&both);
    let mut writer = compact::Writer::default();
    writer.add(sent[0].record());
    drop(established.sealer.seal_bytes(Content::Control, Vec::new()).unwrap());
    assert_eq!(heard(bob.receive(&sealed(&mut established, &writer.take()))), sent[..1]);
}

#[test]
fn a_replay_is_discarded_a_gap_ends_and_a_changed_byte_opens_nothing() {
    let (mut alice, mut bob) = pair(&[compact::TOKEN], &[compact::TOKEN]);
    let sent = records(1);
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for _ in 0..3 {
        alice.send_records(&sent).unwrap();
        frames.push(alice.take_output());
    }
    let mut changed = frames[0].clone();
    changed[40] ^= 1;
    let reason = |events: Vec<Event>| match &events[..] {
        [Event::Refused(refusal)] => refusal.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(bob.receive(&changed)), Reason::BadSeal);
    assert_eq!(heard(bob.receive(&frames[0])), sent);
    assert_eq!(reason(bob.receive(&frames[0])), Reason::Replay);
    let events = bob.receive(&frames[2]);
    assert!(matches!(&events[..], [Event::Closed(closed)] if closed.reason == Reason::Gap.as_str()));
}

#[test]
fn what_is_no_batch_is_refused_and_the_session_goes_on() {
    let (mut established, mut bob) = mallory();
    let batch = |records: &[Verified]| {
        let mut writer = compact::Writer::default();
        for record in records {
            writer.add(record.record());
        }
        writer.take()
    };
    for bytes in [&b""[..], b"\x90", b"{}", b"\x91\x90"] {
        let events = bob.receive(&sealed(&mut established, bytes));
        assert!(matches!(&events[..], [Event::Refused(refusal)] if refusal.reason == Reason::MalformedFrame));
    }
    // Sealed for another use, the same bytes open nothing.
    let (sequence, other) = established.sealer.seal_bytes(Content::Control, batch(&records(1))).unwrap();
    let mut crossed = vec![0xc1];
    crossed.extend_from_slice(&sequence.to_be_bytes()[4..]);
    crossed.extend_from_slice(&other);
    let mut out = Vec::new();
    frame::encode(&crossed, &mut out).unwrap();
    assert!(matches!(&bob.receive(&out)[..], [Event::Refused(refusal)] if refusal.reason == Reason::BadSeal));
}
