//! What every stage works on: signed blocks of an author who is known well, and intakes that judge in one of two ways.

use std::sync::Arc;

use covey_core::category::{COUNT, Category, Weights};
use covey_core::encoder::{DIMENSIONS, Encoder, Kernel};
use covey_core::handshake::{Config, Entropy, Implementation};
use covey_core::id::NodeId;
use covey_core::identity::{Identity, SigningKey};
use covey_core::intake::{Intake, Policy};
use covey_core::limits;
use covey_core::record::{Batch, Draft, Unverified, Verified};
use covey_core::session::Session;
use covey_core::signature::{self, Familiar};
use covey_core::svaf::{Features, Gate, Thresholds};

use crate::samples::{texts, written};

const ROOM: &str = "bench";
pub const NOW: u64 = 1_800_000_000_000;
pub const BLOCK_COUNT: u16 = 256;
pub const BLOCKS: usize = BLOCK_COUNT as usize;
/// Blocks that make an author familiar, so that what is counted is the steady state.
pub const BEFORE: usize = 257;

pub const fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

/// Who judges, and so what the blocks say: the baseline alike words, covey's own path what agents write.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Judged {
    /// The reference's path, as it is published.
    Baseline,
    /// covey's own, by words, which admits all here: so each block is compared and kept.
    Own,
}

impl Judged {
    pub const fn said(self) -> &'static str {
        match self {
            Self::Baseline => "judged by the baseline",
            Self::Own => "covey's own admission",
        }
    }

    pub fn texts(self, number: usize) -> [String; COUNT] {
        match self {
            Self::Baseline => texts(number),
            Self::Own => written(number),
        }
    }

    /// What looks at the five newest blocks, either way.
    fn policy(self) -> Policy {
        match self {
            Self::Baseline => Policy::new(gate()),
            Self::Own => words(limits::ANCHOR_WINDOW),
        }
    }
}

/// covey's own path by words against so many, which admits all.
pub fn words(window: usize) -> Policy {
    let everything =
        Thresholds { stable: 2.0, guarded: 2.0, redundancy: 0.0, ..Thresholds::selective(&Encoder::Words) };
    let gate = Gate::new(Weights::UNIFORM, everything).expect("a gate");
    Policy { window, ..Policy::selective(gate, Encoder::Words) }
}

/// An intake by a policy, to which nobody has spoken.
pub fn fresh(policy: Policy) -> Intake {
    Intake::new(node(2), ROOM, policy).expect("an intake")
}

pub fn signed(author: NodeId, texts: [String; COUNT], key: &SigningKey) -> Verified {
    let mut draft = Draft::new(author, "author", NOW, ROOM).expect("a draft");
    for (category, text) in Category::ALL.into_iter().zip(texts) {
        draft.say(category, &text).expect("a text");
    }
    signature::sign(draft, key).expect("a record")
}

pub fn features(number: usize) -> Features<DIMENSIONS> {
    let texts = texts(number);
    Features::of_texts(Kernel::NgramH32, texts.each_ref().map(String::as_str))
}

fn session(side: u8, tokens: &[&str]) -> Config {
    let key = SigningKey::from_seed(&[side; 32]).expect("a seed");
    let identity = Identity::new(node(side), "bench", key).expect("a name");
    let implementation = Implementation { name: "bench".to_owned(), version: "1".to_owned() };
    Config {
        identity: Arc::new(identity),
        room: ROOM.to_owned(),
        implementation,
        extensions: tokens.iter().map(ToString::to_string).collect(),
    }
}

pub fn connected(tokens: &[&str]) -> (Session, Session) {
    let mut client = Session::client(session(1, tokens), &Entropy::new([1; 64]), None).expect("a valid hello");
    let mut server = Session::server(session(2, tokens), &Entropy::new([2; 64])).expect("a valid hello");
    server.receive(&client.take_output());
    client.receive(&server.take_output());
    server.receive(&client.take_output());
    client.send_anchors(&[]).expect("an open session");
    server.receive(&client.take_output());
    (client, server)
}

pub fn gate() -> Gate {
    Gate::new(Weights::UNIFORM, Thresholds::DEFAULT).expect("published thresholds are a gate")
}

pub fn distrusted(records: &[Verified]) -> Batch {
    Batch(records.iter().map(|record| Unverified::distrust(record.record().clone())).collect())
}

/// Blocks of one author, what is made of them, and how they are judged.
pub struct World {
    pub judged: Judged,
    pub key: SigningKey,
    pub familiar: Familiar,
    pub blocks: Vec<Verified>,
    pub payloads: Vec<Vec<u8>>,
    pub jsons: Vec<Vec<u8>>,
    pub held: Vec<Features<DIMENSIONS>>,
    pub early: Vec<Verified>,
}

impl World {
    pub fn new(judged: Judged) -> Self {
        let key = SigningKey::from_seed(&[7; 32]).expect("a seed");
        let say = |number: usize| signed(node(1), judged.texts(number), &key);
        let blocks: Vec<_> = (0..BLOCKS).map(say).collect();
        let early = (3_000..3_000 + BEFORE).map(say).collect();
        let payloads: Vec<_> = blocks.iter().map(|block| signature::payload(block.record())).collect();
        let mut familiar = Familiar::new(*key.public());
        for _ in 0..BEFORE {
            familiar.verify_bytes(&payloads[0], &blocks[0].record().metadata.signature, true).expect("it holds");
        }
        let jsons = blocks.iter().map(|block| block.record().to_json()).collect();
        let held = (1_000..2_000).map(features).collect();
        Self { judged, key, familiar, blocks, payloads, jsons, held, early }
    }

    /// An intake that knows the author well and holds its five newest blocks.
    pub fn intake(&self) -> Intake {
        let mut intake = fresh(self.judged.policy());
        self.hear(&mut intake, NOW);
        intake
    }

    /// Let an intake hear the author so often that its key has a table.
    pub fn hear(&self, intake: &mut Intake, at_ms: u64) {
        intake.bind(node(1), *self.key.public());
        for records in self.early.chunks(BLOCKS) {
            intake.evaluate(distrusted(records), node(1), at_ms).expect("a batch");
        }
    }

    pub fn stream(&self, tokens: &[&str]) -> (Session, Vec<u8>) {
        let (mut client, server) = connected(tokens);
        client.send_records(&self.blocks).expect("an open session");
        (server, client.take_output())
    }

    /// As many blocks again of the author, for a longer look.
    pub fn long(&self, count: usize) -> Vec<Verified> {
        (10_000..10_000 + count).map(|number| signed(node(1), self.judged.texts(number), &self.key)).collect()
    }
}

/// Authors of whom each says too little for a table of its key, and an intake that is told their keys.
pub struct Strangers {
    judged: Judged,
    keys: Vec<(NodeId, SigningKey)>,
    pub said: Vec<Verified>,
}

impl Strangers {
    /// Blocks of each: far fewer than make it familiar.
    const EACH: usize = 32;

    pub fn new(judged: Judged, count: usize) -> Self {
        let keys: Vec<_> = (0..count.div_ceil(Self::EACH))
            .map(|place| {
                let number = u8::try_from(100 + place).expect("some dozens of authors");
                (node(number), SigningKey::from_seed(&[number; 32]).expect("a seed"))
            })
            .collect();
        let said = (0..count).map(|number| {
            let (author, key) = &keys[number / Self::EACH];
            signed(*author, judged.texts(20_000 + number), key)
        });
        Self { judged, said: said.collect(), keys }
    }

    pub fn intake(&self) -> Intake {
        let mut intake = fresh(self.judged.policy());
        for (author, key) in &self.keys {
            intake.bind(*author, *key.public());
        }
        intake
    }
}
