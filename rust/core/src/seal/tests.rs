use super::*;
use crate::hash::{hex, unhex, unhex32};
use proptest::prelude::*;

// Pinned from the published vectors e2e-v2 and control-encrypted-v2, so that a clone alone proves the same bytes.
const SESSION: &str = "f85383e8ebb887a1fe9578adabae4b5d";
const CLIENT_KEY: &str = "789c875b5646722f94938d29a7712fcab924873cf5df4c1cf44ac18836990130";
const SERVER_KEY: &str = "cfcddba80535583d252d8e744d55fe9cc792c7a63facbe5b13c5cb100bc289ae";
const PING_SEALED: &str = "LZOJ6S-sr9C2uDf87MPv_hDZ61TklBd3s-oK_BIedw";
const SUBJECT: Subject<'static> = Subject {
    key: "cmb-7f7b55653aa9854999c2efeb9751ce4428f9dfe95839e34e4358ab0be5cdf98d",
    assertion_id: "asrt-07ccedd2eaf5297b193c554b64f8ad4f02908adaff478618dc9ceb4eea63b011",
    node_id: "018f47a0-7b21-7abc-8def-0123456789ab",
    room: "conformance-room",
    to: Some("018f47a0-7b21-7abc-8def-fedcba987654"),
};

fn session() -> SessionId {
    SessionId::parse(SESSION).unwrap()
}

fn sealer(next: u128) -> Sealer {
    Sealer { next, ..Sealer::new(&unhex32(CLIENT_KEY).unwrap(), session(), Direction::ClientToServer) }
}

fn opener(next: u128) -> Opener {
    Opener { next, ..Opener::new(&unhex32(CLIENT_KEY).unwrap(), session(), Direction::ClientToServer) }
}

#[test]
fn the_published_bytes_of_a_sealed_ping() {
    let mut lane = sealer(3);
    let sealed = lane.seal(Content::Control, br#"{"type":"ping"}"#.to_vec());
    assert_eq!(sealed, Ok((3, PING_SEALED.to_owned())));
    assert_eq!(lane.next_sequence(), 4);
    let mut opener = opener(3);
    assert_eq!(opener.open(3, Content::Control, PING_SEALED), Ok(Opened::Next(br#"{"type":"ping"}"#.to_vec())));
}

#[test]
fn what_a_direction_writes_once_is_what_is_written_each_time() {
    let lane = Lane::new(&[7; 32], session(), Direction::ServerToClient);
    let to_nobody = Content::Record(Subject { to: None, ..SUBJECT });
    let contents = [Content::Record(SUBJECT), to_nobody, Content::Control, Content::Compact(compact::Version::Two)];
    for (sequence, content) in
        [0, 9, 10, u128::from(u64::MAX), MAX_SEQUENCE].into_iter().zip(contents.into_iter().cycle())
    {
        let written = associated_data(&session(), Direction::ServerToClient, sequence, content);
        assert_eq!(lane.associated_data(sequence, content), written);
    }
}

#[test]
fn the_published_associated_data() {
    let record = associated_data(&session(), Direction::ServerToClient, 0, Content::Record(SUBJECT));
    let text = String::from_utf8(record).unwrap();
    assert_eq!(
        text,
        format!(
            "mmp-aead-aad-v2\n3:2.032:{SESSION}16:server-to-client1:068:{}69:{}36:{}16:conformance-room36:{}",
            SUBJECT.key,
            SUBJECT.assertion_id,
            SUBJECT.node_id,
            SUBJECT.to.unwrap()
        )
    );
    let to_nobody = Content::Record(Subject { to: None, ..SUBJECT });
    let broadcast = associated_data(&session(), Direction::ServerToClient, 0, to_nobody);
    assert!(broadcast.ends_with(b"16:conformance-room0:"));
    let control = associated_data(&session(), Direction::ServerToClient, 10, Content::Control);
    assert_eq!(
        String::from_utf8(control).unwrap(),
        format!("mmp-aead-control-v2\n3:2.032:{SESSION}16:server-to-client2:10")
    );
}

#[test]
fn every_bound_member_is_bound() {
    let seal = || sealer(0).seal(Content::Record(SUBJECT), b"{}".to_vec()).unwrap().1;
    let reason = |mut opener: Opener, sequence, content| {
        let outcome = opener.open(sequence, content, &seal()).map_err(|refusal| refusal.reason);
        assert_eq!(opener.next_sequence(), 0);
        outcome
    };
    let key = &unhex32(CLIENT_KEY).unwrap();
    let right = || opener(0);
    for content in [
        Content::Control,
        Content::Record(Subject { key: SUBJECT.assertion_id, ..SUBJECT }),
        Content::Record(Subject { assertion_id: SUBJECT.key, ..SUBJECT }),
        Content::Record(Subject { node_id: "", ..SUBJECT }),
        Content::Record(Subject { room: "default", ..SUBJECT }),
        Content::Record(Subject { to: None, ..SUBJECT }),
    ] {
        assert_eq!(reason(right(), 0, content), Err(Reason::BadSeal), "{content:?}");
    }
    let content = Content::Record(SUBJECT);
    assert_eq!(reason(right(), 1, content), Err(Reason::BadSeal));
    let reversed = Opener::new(key, session(), Direction::ServerToClient);
    assert_eq!(reason(reversed, 0, content), Err(Reason::BadSeal));
    let elsewhere = Opener::new(key, SessionId::from_bytes([0; 16]), Direction::ClientToServer);
    assert_eq!(reason(elsewhere, 0, content), Err(Reason::BadSeal));
    let other_key = Opener::new(&unhex32(SERVER_KEY).unwrap(), session(), Direction::ClientToServer);
    assert_eq!(reason(other_key, 0, content), Err(Reason::BadSeal));
}

#[test]
fn a_replay_and_a_gap_are_told_apart_from_forgery() {
    let mut lane = sealer(0);
    let sealed: Vec<String> = (0..4).map(|_| lane.seal(Content::Control, b"{}".to_vec()).unwrap().1).collect();
    let mut opener = opener(0);
    assert_eq!(opener.open(2, Content::Control, &sealed[2]), Ok(Opened::Gap { expected: 0 }));
    assert_eq!(opener.open(0, Content::Control, &sealed[0]), Ok(Opened::Next(b"{}".to_vec())));
    assert_eq!(opener.open(0, Content::Control, &sealed[0]), Ok(Opened::Replay));
    let forged = opener.open(7, Content::Control, &sealed[1]).map_err(|refusal| refusal.reason);
    assert_eq!(forged, Err(Reason::BadSeal));
    assert_eq!(opener.next_sequence(), 1);
    assert_eq!(opener.open(1, Content::Control, &sealed[1]), Ok(Opened::Next(b"{}".to_vec())));
}

#[test]
fn the_last_sequence_is_the_last() {
    let mut lane = sealer(MAX_SEQUENCE);
    let (sequence, sealed) = lane.seal(Content::Control, b"{}".to_vec()).unwrap();
    assert_eq!(sequence.to_string(), "79228162514264337593543950335");
    let refused = lane.seal(Content::Control, b"{}".to_vec()).unwrap_err();
    assert_eq!(refused.reason, Reason::SequenceExhausted);
    let mut opener = opener(MAX_SEQUENCE);
    assert!(matches!(opener.open(sequence, Content::Control, &sealed), Ok(Opened::Next(_))));
    assert!(opener.open(MAX_SEQUENCE + 1, Content::Control, &sealed).is_err());
    assert_eq!(nonce(MAX_SEQUENCE).as_slice(), [0xff; 12]);
    assert_eq!(hex(&nonce(258)), "000000000000000000000102");
}

#[test]
fn what_is_sealed_has_one_spelling() {
    for sealed in ["", "AAAA", &PING_SEALED[1..], &format!("{PING_SEALED}="), &format!("{PING_SEALED} "), "Ä"] {
        let mut opener = opener(3);
        assert!(opener.open(3, Content::Control, sealed).is_err(), "{sealed}");
    }
    // The last character has two unused bits; only zeros are canonical.
    let bent = format!("{}x", &PING_SEALED[..PING_SEALED.len() - 1]);
    let refused = opener(3).open(3, Content::Control, &bent).unwrap_err();
    assert_eq!(refused.reason, Reason::MalformedFrame);
}

#[test]
fn sequences_have_one_spelling() {
    assert_eq!(parse_sequence("0"), Some(0));
    assert_eq!(parse_sequence("79228162514264337593543950335"), Some(MAX_SEQUENCE));
    for bad in ["", "00", "01", "+1", "-1", "1.0", " 1", "1e3", "79228162514264337593543950336", "٣"] {
        assert_eq!(parse_sequence(bad), None, "{bad}");
    }
    assert_eq!(parse_sequence(&"9".repeat(30)), None);
}

proptest! {
    #[test]
    fn what_is_sealed_opens_and_any_other_byte_does_not(
        plaintext in prop::collection::vec(any::<u8>(), 0..200), at: prop::sample::Index, bit in 0..8_u8,
    ) {
        let (_, sealed) = sealer(0).seal(Content::Control, plaintext.clone()).unwrap();
        let opened = opener(0).open(0, Content::Control, &sealed);
        prop_assert_eq!(opened, Ok(Opened::Next(plaintext)));
        let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let bent = URL_SAFE_NO_PAD.encode(bytes);
        let refused = opener(0).open(0, Content::Control, &bent).unwrap_err();
        prop_assert_eq!(refused.reason, Reason::BadSeal);
    }

    #[test]
    fn sequences_print_as_they_are_read(sequence in 0..=MAX_SEQUENCE) {
        prop_assert_eq!(parse_sequence(&sequence.to_string()), Some(sequence));
        prop_assert_eq!(unhex::<12>(&hex(&nonce(sequence))).map(|n| n.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))), Some(sequence));
    }
}
