//! Handshake, sealing, opening, and a record's whole way through two sessions.

use std::hint::black_box;
use std::sync::Arc;

use covey_core::category::Category;
use covey_core::handshake::{Config, Entropy, Implementation};
use covey_core::id::{NodeId, SessionId};
use covey_core::identity::{Identity, SigningKey};
use covey_core::record::{Draft, Verified};
use covey_core::seal::{Content, Direction, Opener, Sealer};
use covey_core::session::Session;
use covey_core::signature;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// What a typical record seals, in bytes.
const PLAINTEXT_BYTES: usize = 1_400;
const BATCH: usize = 64;

fn config(side: u8) -> Config {
    let key = SigningKey::from_seed(&[side; 32]).expect("a seed");
    let identity = Identity::new(NodeId::from_bytes([side; 16]), "bench", key).expect("a name");
    Config {
        identity: Arc::new(identity),
        room: "bench".to_owned(),
        implementation: Implementation { name: "bench".to_owned(), version: "1".to_owned() },
        extensions: Vec::new(),
    }
}

fn connected() -> (Session, Session) {
    let mut client = Session::client(config(1), &Entropy::new([1; 64]), None).expect("a valid hello");
    let mut server = Session::server(config(2), &Entropy::new([2; 64])).expect("a valid hello");
    server.receive(&client.take_output());
    client.receive(&server.take_output());
    server.receive(&client.take_output());
    client.send_anchors(&[]).expect("an open session");
    server.receive(&client.take_output());
    (client, server)
}

fn record() -> Verified {
    let mut draft = Draft::new(NodeId::from_bytes([1; 16]), "bench", 1_786_611_600_000, "bench").expect("a head");
    for category in Category::ALL {
        draft.say(category, "the retry budget of the ingest worker is spent after the third timeout").expect("text");
    }
    signature::sign(draft, &SigningKey::from_seed(&[1; 32]).expect("a seed")).expect("a valid draft")
}

fn lanes() -> (Sealer, Opener) {
    let (key, session) = ([9; 32], SessionId::from_bytes([9; 16]));
    (Sealer::new(&key, session, Direction::ClientToServer), Opener::new(&key, session, Direction::ClientToServer))
}

fn seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lane");
    group.throughput(Throughput::Bytes(PLAINTEXT_BYTES as u64));
    group.bench_function("seal", |bench| {
        let mut lane = lanes().0;
        bench.iter(|| lane.seal(Content::Control, black_box(vec![b'x'; PLAINTEXT_BYTES])));
    });
    group.bench_function("open", |bench| {
        let (mut sealer, opener) = lanes();
        let (sequence, text) = sealer.seal(Content::Control, vec![b'x'; PLAINTEXT_BYTES]).expect("the first");
        let mut opener = opener;
        // The second time on it is a replay, which costs the same proof.
        bench.iter(|| opener.open(sequence, Content::Control, black_box(&text)));
    });
    group.finish();
}

fn session(criterion: &mut Criterion) {
    criterion.bench_function("handshake/both_sides", |bench| bench.iter(connected));
    let mut group = criterion.benchmark_group("session");
    group.throughput(Throughput::Elements(BATCH as u64));
    let record = record();
    group.bench_function("send_records", |bench| {
        let (mut client, _) = connected();
        bench.iter(|| {
            client.send_records(std::iter::repeat_n(&record, BATCH)).expect("an open session");
            client.take_output()
        });
    });
    group.bench_function("receive", |bench| {
        let (mut client, mut server) = connected();
        let output = || {
            client.send_records(std::iter::repeat_n(&record, BATCH)).expect("an open session");
            client.take_output()
        };
        bench.iter_batched(output, |stream| server.receive(&stream), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, seal, session);
criterion_main!(benches);
