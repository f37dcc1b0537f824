//! What several workers open is what one opens, whatever a network makes of a stream.

use std::sync::Arc;

use super::*;
use covey_core::category::Category;
use covey_core::compact;
use covey_core::handshake::{Config, Entropy, Implementation};
use covey_core::identity::Identity;
use proptest::prelude::*;

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn key(author: u8) -> SigningKey {
    SigningKey::from_seed(&[author; 32]).unwrap()
}

fn config(side: u8, tokens: &[&str]) -> Config {
    Config {
        identity: Arc::new(Identity::new(node(side), "a peer", key(side)).unwrap()),
        room: "den".to_owned(),
        implementation: Implementation { name: "covey".to_owned(), version: "0".to_owned() },
        extensions: tokens.iter().map(ToString::to_string).collect(),
    }
}

/// A sender and a receiver with the session between them open; made twice, they are the same to a bit.
fn pair(tokens: &[&str]) -> (Session, Session) {
    let mut client = Session::client(config(1, tokens), &Entropy::new([1; 64]), None).unwrap();
    let mut server = Session::server(config(2, tokens), &Entropy::new([2; 64])).unwrap();
    server.receive(&client.take_output());
    client.receive(&server.take_output());
    server.receive(&client.take_output());
    client.send_anchors(&[]).unwrap();
    server.send_anchors(&[]).unwrap();
    server.take_output();
    (client, server)
}

fn block(number: u16) -> Verified {
    let mut draft = Draft::new(node(1), "author", 1_800_000_000_000, "den").unwrap();
    draft.say(Category::Focus, &format!("thing {number}")).unwrap();
    if number.is_multiple_of(5) {
        draft.say(Category::Issue, &"said at \"length\" ".repeat(usize::from(number))).unwrap();
    }
    signature::sign(draft, &key(1)).unwrap()
}

/// What happens to one frame on its way.
#[derive(Clone, Debug)]
enum Fate {
    Comes,
    Lost,
    Twice,
    /// Behind the one that follows it.
    Late,
    /// One bit of it changes.
    Bent(prop::sample::Index, u8),
    /// A frame in clear comes first.
    Behind(&'static str),
    /// A length that no frame has comes first.
    Wrong,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        40 => Just(Fate::Comes),
        1 => Just(Fate::Lost),
        3 => Just(Fate::Twice),
        1 => Just(Fate::Late),
        4 => (any::<prop::sample::Index>(), 0..8_u8).prop_map(|(at, bit)| Fate::Bent(at, bit)),
        2 => prop::sample::select(vec![
            "{\"type\":\"ping\"}", "{}", "[1]", "{\"type\":\"cmb\"}", "\u{e9}", "{\"type\":\"client-finish\"}",
        ]).prop_map(Fate::Behind),
        1 => Just(Fate::Wrong),
    ]
}

/// The frames of a conversation: so many blocks at a time, with a control frame now and then.
fn frames(client: &mut Session, count: u16, together: u16) -> Vec<Vec<u8>> {
    for first in (0..count).step_by(usize::from(together)) {
        if first / together % 7 == 3 {
            client.send_control(b"{\"type\":\"ping\"}").unwrap();
        }
        let blocks: Vec<_> = (first..count.min(first + together)).map(block).collect();
        client.send_records(&blocks).unwrap();
    }
    client.take_messages()
}

fn put(stream: &mut Vec<u8>, frame: &[u8]) {
    stream.extend_from_slice(&u32::try_from(frame.len()).unwrap().to_be_bytes());
    stream.extend_from_slice(frame);
}

fn travelled(frames: &[Vec<u8>], fates: &[Fate]) -> Vec<u8> {
    let (mut stream, mut late) = (Vec::new(), None);
    for (frame, fate) in frames.iter().zip(fates.iter().cycle()) {
        match fate {
            Fate::Comes => put(&mut stream, frame),
            Fate::Lost => {}
            Fate::Twice => (0..2).for_each(|_| put(&mut stream, frame)),
            Fate::Late => {
                late = Some(frame);
                continue;
            }
            Fate::Bent(at, bit) => {
                let mut bent = frame.clone();
                bent[at.index(frame.len())] ^= 1 << bit;
                put(&mut stream, &bent);
                // What was bent is lost; sent again, the sequence goes on.
                put(&mut stream, frame);
            }
            Fate::Behind(clear) => {
                put(&mut stream, clear.as_bytes());
                put(&mut stream, frame);
            }
            Fate::Wrong => stream.extend_from_slice(&[0xff; 9]),
        }
        if let Some(late) = late.take() {
            put(&mut stream, late);
        }
    }
    stream
}

/// All that is seen of a session which reads a stream in these portions.
fn seen(
    tokens: &[&str],
    stream: &[u8],
    cuts: &[usize],
    mut read: impl FnMut(&mut Session, &[u8]) -> Vec<Event>,
) -> String {
    let (_, mut server) = pair(tokens);
    let (mut rest, mut cuts, mut events) = (stream, cuts.iter().cycle(), Vec::new());
    while !rest.is_empty() {
        let (portion, behind) = rest.split_at((*cuts.next().unwrap_or(&usize::MAX)).min(rest.len()));
        events.extend(read(&mut server, portion));
        rest = behind;
    }
    format!("{events:?} {:?} {:?}", server.phase(), server.take_output())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn several_workers_open_what_one_does(
        tokens in prop::sample::select(vec![&[][..], &[compact::TOKEN], &[compact::TOKEN, compact::TOKEN_2]]),
        count in 1..60_u16,
        together in prop::sample::select(vec![1, 3, 25]),
        fates in prop::collection::vec(fate(), 1..80),
        cuts in prop::collection::vec(prop_oneof![1..40_usize, 1..9_000_usize, Just(100_000)], 1..9),
    ) {
        let (mut client, _) = pair(tokens);
        let stream = travelled(&frames(&mut client, count, together), &fates);
        let alone = seen(tokens, &stream, &cuts, Session::receive);
        let engine = Engine::new(MOST_WORKERS);
        for workers in 1..=MOST_WORKERS {
            let shared = seen(tokens, &stream, &cuts, |session, data| engine.receive_among(workers, session, data));
            prop_assert_eq!(&alone, &shared, "{} workers", workers);
        }
    }
}

#[test]
fn a_long_stream_is_opened_the_same_from_its_first_byte() {
    let (mut client, _) = pair(&[]);
    let stream = travelled(&frames(&mut client, 90, 1), &[Fate::Comes]);
    assert!(stream.len() > 2 * LEAST_SHARE_BYTES, "it is enough for two workers");
    let alone = seen(&[], &stream, &[usize::MAX], Session::receive);
    assert_eq!(alone.matches("assertion_id").count(), 90);
    assert_eq!(alone, seen(&[], &stream, &[usize::MAX], |session, data| Engine::new(2).receive(session, data)));
    // A handshake is never read ahead.
    let (mut dialler, mut listener) = (
        Session::client(config(1, &[]), &Entropy::new([1; 64]), None).unwrap(),
        Session::server(config(2, &[]), &Entropy::new([2; 64])).unwrap(),
    );
    let engine = Engine::new(3);
    assert!(engine.receive_among(3, &mut listener, &dialler.take_output()).is_empty());
    assert_eq!(engine.receive_among(3, &mut dialler, &listener.take_output()).len(), 1);
}
