//! Any bytes from a stock peer, or from who says to be one, give a value or a documented refusal, nothing else.
//!
//! What else must hold: a stranger hears nothing but our handshake, a stream means the same however it was cut, one
//! frame is one event, what is heard carries no more standing than it shows, and nothing ever sends a `mood`.

use std::sync::Arc;

use covey_core::frame::PREFIX_BYTES;
use covey_core::id::NodeId;
use covey_core::identity::{Identity, SigningKey};
use covey_core::session::Phase;
use covey_legacy::limits::MAX_HELLO_BYTES;
use covey_legacy::record;
use covey_legacy::seal::{AgreementKey, Nonces};
use covey_legacy::session::{Config, Event, Session};
use covey_legacy::signature::{self, Standing};

use super::harness::Target;

/// Every decoder that a stock peer can reach.
pub const TARGETS: &[Target] = &[
    ("legacy_hello", hello),
    ("legacy_frame", open_frame),
    ("legacy_record", bare_record),
    ("legacy_sealed", sealed),
    ("legacy_stream", stream),
];

fn config(byte: u8) -> Config {
    let key = SigningKey::from_seed(&[byte; 32]).expect("a seed makes a key");
    let identity = Identity::new(NodeId::from_bytes([byte; 16]), "a peer", key).expect("a constant name");
    Config { identity: Arc::new(identity), room: "default".to_owned(), agreement: AgreementKey::new([byte; 32]) }
}

fn server() -> Session {
    Session::server(config(2), [2; 32])
}

/// A server that has met a client, and the client.
fn opened() -> (Session, Session) {
    let (mut client, mut server) = (Session::client(config(1), [1; 32], None).expect("a handshake"), server());
    assert_eq!(server.receive(&client.take_output()).len(), 1);
    assert_eq!(client.receive(&server.take_output()).len(), 1);
    (client, server)
}

fn words(events: &[Event]) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::Claimed { peer, .. } => format!("claimed {}", peer.node_id),
        Event::Records(heard) => heard.iter().map(|one| one.record.key.clone()).collect::<Vec<_>>().join(" "),
        Event::Fetch { key, .. } => format!("fetch {key}"),
        Event::Fetched { key, .. } => format!("fetched {key}"),
        Event::Control { kind, .. } => format!("control {kind}"),
        Event::Ignored { reason, .. } => format!("ignored {}", reason.as_str()),
        Event::Refused(refusal) => format!("refused {}", refusal.reason.as_str()),
        Event::Closed(closed) => format!("closed {}", closed.reason),
    };
    events.iter().map(word).collect()
}

/// What was heard shows its standing: signed is what verifies, and only that is handed to admission.
fn check_heard(events: &[Event]) {
    for event in events {
        let Event::Records(records) = event else { continue };
        for heard in records {
            assert_eq!(heard.hearsay.is_some(), heard.standing == Standing::Signed);
            assert!(heard.standing == Standing::Signed || !heard.directed);
            assert!(heard.record.room.as_deref().is_none_or(|room| room == "default"));
        }
    }
}

fn hello(data: &[u8]) {
    let mut session = server();
    let events = session.receive_message(data);
    assert_eq!(events.len(), 1, "one frame, one event");
    let answer = session.take_messages();
    match &events[..] {
        [Event::Claimed { peer, .. }] => {
            assert!(data.len() <= MAX_HELLO_BYTES && answer.len() == 1 && session.phase() == Phase::Open);
            assert_ne!(peer.node_id, config(2).identity.node_id());
        }
        _ => assert!(answer.is_empty() && session.phase() == Phase::Closed),
    }
}

fn open_frame(data: &[u8]) {
    let (_, mut session) = opened();
    let events = session.receive_message(data);
    assert!(events.len() == 1 || session.phase() == Phase::Closed, "one frame, one event");
    check_heard(&events);
    assert!(session.take_output().is_empty(), "a session answers nothing by itself");
}

fn bare_record(data: &[u8]) {
    let Ok(read) = record::read(data) else { return };
    let key = SigningKey::from_seed(&[1; 32]).expect("a seed makes a key");
    if let Ok((standing, _)) = signature::judge(&read, [&read.author_label, ""], key.public()) {
        assert!(standing == Standing::Unsigned || read.signature.is_some());
    }
    let author = NodeId::from_bytes([1; 16]);
    if let Ok(hearsay) = read.hearsay(author, "default") {
        assert_eq!(hearsay.record().metadata.key, read.content_key());
    }
}

/// What opens to anything at all: the categories are sealed by who holds the key.
fn sealed(data: &[u8]) {
    let channel = config(1).agreement.agree(&config(2).agreement.public()).expect("two keys of ours");
    let other = config(2).agreement.agree(&config(1).agreement.public()).expect("two keys of ours");
    let (text, nonce) = channel.seal(Nonces::new([9; 32]).take(), data.to_vec()).expect("below the bound");
    assert_eq!(other.open(&text, &nonce).expect("what was sealed opens").as_slice(), data);
    let cmb = format!(
        r#"{{"categories":"{text}","metadata":{{"key":"cmb-{}","createdBy":"a peer","createdTimestamp":1}},"_e2e":{{"nonce":"{nonce}"}}}}"#,
        "ab".repeat(32)
    );
    let parts = record::sealed_parts(cmb.as_bytes()).expect("a whole record").expect("a sealed one");
    assert_eq!(parts, (text, nonce));
    drop(record::read_opened(cmb.as_bytes(), data));
    let (_, mut session) = opened();
    let events = session.receive_message(format!(r#"{{"type":"cmb","cmb":{cmb}}}"#).as_bytes());
    assert_eq!(events.len(), 1, "one frame, one event");
    check_heard(&events);
}

fn stream(data: &[u8]) {
    let (_, mut whole) = opened();
    let events = whole.receive(data);
    check_heard(&events);
    let (_, mut cut) = opened();
    let mut again = Vec::new();
    for chunk in data.chunks(11) {
        again.extend(words(&cut.receive(chunk)));
    }
    let joined = |words: Vec<String>| words.join(" ");
    assert_eq!(joined(again), joined(words(&events)));
    assert!(!String::from_utf8_lossy(&whole.take_output()).contains("mood"));
    // A stranger's first bytes are held to the bound of a handshake.
    let mut stranger = server();
    stranger.receive(data);
    assert!(stranger.take_output().len() <= PREFIX_BYTES + MAX_HELLO_BYTES);
}
