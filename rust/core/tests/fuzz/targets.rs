//! Any bytes into any decoder give a value or a documented refusal, nothing else, in bounded memory and time.
//!
//! Each target states what else must hold of its decoder: what it takes survives its own re-encoding, a stream means
//! the same however it was cut, a stranger hears nothing but the handshake.

use std::sync::Arc;

use covey_core::attest;
use covey_core::authority;
use covey_core::compact;
use covey_core::frame::{Decoder, PREFIX_BYTES, encode};
use covey_core::grant::RoomGrant;
use covey_core::handshake::{Client, Config, Entropy, Established, Implementation, Server};
use covey_core::id::NodeId;
use covey_core::identity::{Identity, SigningKey};
use covey_core::invite::Invite;
use covey_core::json;
use covey_core::limits::{MAX_FRAME_BYTES, MAX_HANDSHAKE_FRAME_BYTES};
use covey_core::record::Unverified;
use covey_core::routing::{Message, peek};
use covey_core::seal::{Content, SUITE};
use covey_core::session::{Event, Phase, Session};
use covey_core::tether::Attestation;

use super::harness::Target;

/// Every decoder that a peer can reach.
pub const TARGETS: &[Target] = &[
    ("json", strict_json),
    ("frame", frame_stream),
    ("compact", compact_batch),
    ("compact_2", compact_2_batch),
    ("record", record),
    ("envelope", envelope),
    ("client_hello", client_hello),
    ("server_hello", server_hello),
    ("client_finish", client_finish),
    ("stranger", stranger),
    ("open_frame", open_frame),
    ("control", control),
    ("authority", authority_frame),
    ("attest", attest_frame),
    ("tether", tether),
    ("grant", grant),
    ("invite", invite),
    ("relay", relay),
];

const CLIENT: &str = "018f47a0-7b21-7abc-8def-111111111111";
const SERVER: &str = "018f47a0-7b21-7abc-8def-222222222222";

fn config(id: &str) -> Config {
    let key = SigningKey::from_seed(&[id.as_bytes()[35]; 32]).expect("a seed makes a key");
    let node_id = NodeId::parse(id).expect("a constant node id");
    Config {
        identity: Arc::new(Identity::new(node_id, "a peer", key).expect("a constant name")),
        room: "default".to_owned(),
        implementation: Implementation { name: "covey".to_owned(), version: "0".to_owned() },
        extensions: vec!["x-covey-delivery-v1".to_owned(), "sym-attest-v1".to_owned()],
    }
}

fn server() -> Session {
    Session::server(config(SERVER), &Entropy::new([2; 64])).expect("a constant configuration")
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    if encode(body, &mut output).is_err() {
        output.extend_from_slice(&u32::MAX.to_be_bytes());
    }
    output
}

/// A server with an open session, and its client's keys.
fn opened() -> (Established, Session) {
    let (client, hello) =
        Client::start(config(CLIENT), &Entropy::new([1; 64]), None).expect("a constant configuration");
    let mut server = server();
    assert!(server.receive(&framed(&hello)).is_empty());
    let answer = server.take_output();
    let (established, finish) = client.receive(&answer[PREFIX_BYTES..]).expect("our own server's hello");
    assert_eq!(server.receive(&framed(&finish)).len(), 1);
    (established, server)
}

fn strict_json(data: &[u8]) {
    if let Ok(value) = json::parse_strict(data) {
        let again = json::parse_strict(value.to_string().as_bytes());
        // A number may be rounded by its first reading, so only the second must be stable.
        assert!(again.is_ok());
    }
}

fn frames(chunks: &mut dyn Iterator<Item = &[u8]>) -> (Vec<Vec<u8>>, Option<&'static str>) {
    let (mut decoder, mut found) = (Decoder::new(), Vec::new());
    for chunk in chunks {
        let mut input = chunk;
        loop {
            match decoder.next(&mut input, MAX_HANDSHAKE_FRAME_BYTES) {
                Ok(Some(frame)) => found.push(frame.to_vec()),
                Ok(None) => break,
                Err(refusal) => return (found, Some(refusal.reason.as_str())),
            }
        }
        assert!(decoder.held_bytes() <= PREFIX_BYTES + MAX_HANDSHAKE_FRAME_BYTES);
    }
    (found, None)
}

fn frame_stream(data: &[u8]) {
    assert_eq!(frames(&mut std::iter::once(data)), frames(&mut data.chunks(1)));
    assert_eq!(frames(&mut std::iter::once(data)), frames(&mut data.chunks(7)));
}

fn compact_batch(data: &[u8]) {
    compact_of(data, compact::Version::One);
}

fn compact_2_batch(data: &[u8]) {
    compact_of(data, compact::Version::Two);
}

fn compact_of(data: &[u8], version: compact::Version) {
    let Ok(records) = compact::read(data, version) else { return };
    let mut writer = compact::Writer::new(version);
    for record in records.iter().flatten() {
        writer.add(record.claimed());
        let claimed = record.claimed();
        let json = Unverified::from_envelope(&claimed.envelope_metadata(), &claimed.envelope_plaintext());
        assert_eq!(json.as_ref(), Ok(record), "what a batch may say, an envelope may");
    }
    if records.iter().all(Result::is_ok) {
        assert_eq!(writer.take(), data, "a batch has one spelling");
    }
}

fn record(data: &[u8]) {
    if let Ok(read) = Unverified::parse(data) {
        let written = read.claimed().to_json();
        let again = Unverified::parse(&written).expect("what was read can be written and read");
        assert_eq!(again.claimed().to_json(), written);
    }
}

fn envelope(data: &[u8]) {
    let cut = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len() / 2);
    let (metadata, plaintext) = data.split_at(cut);
    if let Ok(read) = Unverified::from_envelope(metadata, plaintext) {
        let read = read.claimed();
        let again = Unverified::from_envelope(&read.envelope_metadata(), &read.envelope_plaintext());
        assert_eq!(again.expect("what was read can be written and read").claimed().to_json(), read.to_json());
    }
}

fn client_hello(data: &[u8]) {
    let waiting = Server::new(config(SERVER), &Entropy::new([2; 64])).expect("a constant configuration");
    if let Ok((_, answer)) = waiting.receive(data) {
        assert!(answer.len() <= MAX_HANDSHAKE_FRAME_BYTES);
    }
}

fn server_hello(data: &[u8]) {
    let (client, _) = Client::start(config(CLIENT), &Entropy::new([1; 64]), None).expect("a constant configuration");
    if let Ok((established, _)) = client.receive(data) {
        // Only who knows the server's keys gets here, and the corpus has one such frame.
        assert_eq!(established.peer.node_id.to_string(), SERVER);
    }
}

fn client_finish(data: &[u8]) {
    let (_, hello) = Client::start(config(CLIENT), &Entropy::new([1; 64]), None).expect("a constant configuration");
    let waiting = Server::new(config(SERVER), &Entropy::new([2; 64])).expect("a constant configuration");
    let (finishing, _) = waiting.receive(&hello).expect("our own hello");
    if let Ok(established) = finishing.receive(data) {
        assert_eq!(established.peer.node_id.to_string(), CLIENT);
    }
}

fn words(events: &[Event]) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::Authenticated { .. } => "authenticated".to_owned(),
        Event::Records(batch) => format!("{} records", batch.0.len()),
        Event::Control { kind, .. } => format!("control {kind}"),
        Event::Ignored { reason, .. } => format!("ignored {}", reason.as_str()),
        Event::Refused(refusal) => format!("refused {}", refusal.reason.as_str()),
        Event::Closed(closed) => format!("closed {}", closed.reason),
    };
    events.iter().map(word).collect()
}

fn stranger(data: &[u8]) {
    let mut whole = server();
    let events = words(&whole.receive(data));
    let output = whole.take_output();
    assert!(output.len() <= PREFIX_BYTES + MAX_HANDSHAKE_FRAME_BYTES);
    let mut cut = server();
    let mut again = Vec::new();
    for chunk in data.chunks(11) {
        again.extend(words(&cut.receive(chunk)));
    }
    assert_eq!((again, cut.take_output()), (events, output));
}

fn open_frame(data: &[u8]) {
    let (_, mut session) = opened();
    let events = session.receive(&framed(data));
    assert!(events.len() <= 1, "one frame, one event");
    assert!(!matches!(events[..], [Event::Records(_)]), "nothing opens without the key");
    if session.phase() != Phase::Closed {
        assert!(session.take_output().is_empty(), "a session answers nothing by itself");
    }
}

fn control(data: &[u8]) {
    let (mut established, mut session) = opened();
    if data.len() > MAX_FRAME_BYTES / 2 {
        return;
    }
    let (sequence, sealed) = established.sealer.seal(Content::Control, data.to_vec()).expect("the first of 2^96");
    let frame = format!(
        r#"{{"type":"control-encrypted","protocolVersion":"2.0","suite":"{SUITE}","sessionId":"{}","sequence":"{sequence}","direction":"client-to-server","sealed":"{sealed}"}}"#,
        established.peer.session_id
    );
    let events = session.receive(&framed(frame.as_bytes()));
    assert_eq!(events.len(), 1, "one frame, one event");
    let replayed = session.receive(&framed(frame.as_bytes()));
    if session.phase() == Phase::Open {
        assert_eq!(words(&replayed), ["refused replay"], "whatever it carried, its place is used");
    }
}

fn authority_frame(data: &[u8]) {
    for kind in ["authority-statement", "authority-digest", "authority-fetch", "authority-set"] {
        drop(authority::Frame::parse(kind, data));
    }
}

/// What is taken is written again as the same signed bytes.
fn tether(data: &[u8]) {
    if let Ok(read) = Attestation::parse(data) {
        let again = Attestation::parse(&read.to_json()).expect("what was written is read");
        assert_eq!(again.payload(), read.payload());
    }
}

fn attest_frame(data: &[u8]) {
    for kind in ["attestation", "checkpoint", "witness", "node-stats"] {
        drop(attest::Frame::parse(&format!("sym-attest-{kind}"), data));
    }
}

fn grant(data: &[u8]) {
    for read in [RoomGrant::parse(data), RoomGrant::parse_frame(data)].into_iter().flatten() {
        assert!(RoomGrant::parse(&read.to_json()).is_ok() && RoomGrant::parse_frame(&read.to_frame()).is_ok());
    }
}

/// As a line, and as the bytes behind its checksum, which few mutations pass.
fn invite(data: &[u8]) {
    if let Ok(read) = std::str::from_utf8(data).map_err(drop).and_then(|line| Invite::parse(line).map_err(drop)) {
        assert_eq!(Invite::parse(&read.to_line()), Ok(read));
    }
    drop(Invite::of_parts(data, [0; 64]));
}

fn relay(data: &[u8]) {
    if let Ok(Message::Outbound { payload, .. } | Message::Inbound { payload, .. }) = Message::read(data) {
        drop(peek(payload.as_bytes()));
    }
    drop(peek(data));
}
