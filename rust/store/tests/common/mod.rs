//! Peers, records and folders for the store's tests.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use covey_core::category::{Category, Weights};
use covey_core::id::{ContentKey, NodeId};
use covey_core::identity::SigningKey;
use covey_core::intake::{Intake, OutcomeBatch, Policy};
use covey_core::record::{Application, Batch, Draft, MESSAGE_SCHEMA, Record, Unverified, Verified};
use covey_core::signature::sign;
use covey_core::svaf::{Gate, Thresholds};
use covey_store::Store;

pub const ROOM: &str = "den";
pub const NOW: u64 = 1_790_000_000_000;
pub const ME: u8 = 1;
pub const ANN: u8 = 2;
pub const BOB: u8 = 3;

/// A folder that goes away with its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("covey-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self) -> PathBuf {
        self.0.join("store.db")
    }

    pub fn open(&self) -> Store {
        Store::open(self.file(), node(ME)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.0);
        assert!(removed.is_ok() || std::thread::panicking(), "{removed:?}");
    }
}

pub fn node(who: u8) -> NodeId {
    NodeId::from_bytes([who; 16])
}

pub fn key(who: u8) -> SigningKey {
    SigningKey::from_seed(&[who; 32]).unwrap()
}

/// What a test says in a record.
#[derive(Clone, Default)]
pub struct Said<'a> {
    pub focus: &'a str,
    pub to: Option<u8>,
    pub parents: &'a [ContentKey],
    pub category_parents: &'a [ContentKey],
    pub room: Option<&'a str>,
    pub mood: &'a str,
    pub message: bool,
}

pub fn record(who: u8, said: &Said<'_>) -> Verified {
    let mut draft = Draft::new(node(who), "label", NOW, said.room.unwrap_or(ROOM)).unwrap();
    draft.say(Category::Focus, said.focus).unwrap();
    draft.say(Category::Mood, said.mood).unwrap();
    draft.descend(said.parents).unwrap();
    draft.descend_category(Category::Issue, said.category_parents).unwrap();
    if let Some(to) = said.to {
        draft.to(node(to));
    }
    if said.message {
        draft.carry(Application::new("application/json", MESSAGE_SCHEMA, b"{}".to_vec()).unwrap());
    }
    sign(draft, &key(who)).unwrap()
}

pub fn says(who: u8, focus: &str) -> Verified {
    record(who, &Said { focus, ..Said::default() })
}

pub fn key_of(record: &Verified) -> ContentKey {
    record.record().metadata.key
}

fn intake(thresholds: Thresholds) -> Intake {
    let policy = Policy::new(Gate::new(Weights::UNIFORM, thresholds).unwrap());
    let mut intake = Intake::new(node(ME), ROOM, policy).unwrap();
    for who in [ME, ANN, BOB] {
        intake.bind(node(who), *key(who).public());
    }
    intake
}

/// An intake that takes whatever is valid.
pub fn open_minded() -> Intake {
    intake(Thresholds { stable: 2.0, guarded: 2.0, redundancy: 0.0, ..Thresholds::REFERENCE })
}

/// An intake that takes the first block, and then nothing that differs.
pub fn closed_minded() -> Intake {
    intake(Thresholds { stable: 0.0, guarded: 0.0, temporal_lambda: 0.0, ..Thresholds::REFERENCE })
}

pub fn hear(intake: &mut Intake, records: &[Verified]) -> OutcomeBatch {
    hear_at(intake, records, NOW)
}

pub fn hear_at(intake: &mut Intake, records: &[Verified], now_ms: u64) -> OutcomeBatch {
    let heard = records.iter().map(|record| Unverified::distrust(record.record().clone())).collect();
    intake.evaluate(Batch(heard), node(ANN), now_ms).unwrap()
}

/// Replaces the signature by another valid-looking one.
pub fn forged(record: &Verified) -> Record {
    let mut record = record.record().clone();
    record.metadata.signature[40] ^= 1;
    record
}

/// Copies the database and its log, as a crash would leave them.
pub fn crash_image(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if name(from).exists() {
            std::fs::copy(name(from), name(to)).unwrap();
        }
    }
}
