//! What forgetting takes from the writer, call by call, and how long a commit that comes meanwhile waits.
//!
//! `cargo bench -p covey-store --bench forget [-- --records N] [--rounds N] [--store FILE] [variant...]` fills one store with
//! signed blocks (three in ten answer one of the last thousand) and indexes their full text, writes decisions for the newest
//! hundred thousand and an inbox of the newest 4,096. Of a copy of it each variant forgets the older half: as it is; without
//! full text, without lineage, or where each block still has its decision, so that the difference says what these cost; and
//! beside commits of one own block every five milliseconds, which are timed, as they are alone. Others archive that half, or
//! carry all out.
//! A call's time on the clock is printed with what it waited for the log to be copied, which holds nobody up; beside it the
//! processor's time of a block, and the whole. `--store` keeps the filled store for another run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use covey_core::category::Category;
use covey_core::id::{ContentKey, NodeId};
use covey_core::identity::SigningKey;
use covey_core::record::{Draft, Verified};
use covey_core::signature::sign;
use covey_store::Store;

const NOW: u64 = 1_790_000_000_000;
const ME: NodeId = NodeId::from_bytes([1; 16]);
const ANN: NodeId = NodeId::from_bytes([2; 16]);
const RECORDS: usize = 50_000;
const PAGE: usize = 1_024;
/// How often a block is said beside a pass.
const EVERY: Duration = Duration::from_millis(5);

/// A pass over a store that was changed before.
struct Variant {
    name: &'static str,
    before: &'static str,
    commits: bool,
    work: Work,
}

#[derive(Clone, Copy)]
enum Work {
    Forget,
    Archive,
    Carry,
    /// For so many seconds.
    Nothing(u64),
}

const WITHOUT_TEXT: &str = "INSERT INTO recall (recall) VALUES ('delete-all');";
const VARIANTS: &[Variant] = &[
    Variant { name: "whole", before: "", commits: false, work: Work::Forget },
    Variant { name: "no-text", before: WITHOUT_TEXT, commits: false, work: Work::Forget },
    Variant { name: "no-lineage", before: "DELETE FROM lineage;", commits: false, work: Work::Forget },
    Variant { name: "decided", before: DECIDED, commits: false, work: Work::Forget },
    Variant { name: "commits-alone", before: "", commits: true, work: Work::Nothing(10) },
    Variant { name: "commits", before: "", commits: true, work: Work::Forget },
    Variant { name: "archive", before: "", commits: false, work: Work::Archive },
    Variant { name: "archive-commits", before: "", commits: true, work: Work::Archive },
    Variant { name: "carry", before: "", commits: false, work: Work::Carry },
];
/// Each record names a decision, also the oldest, of which a store keeps none as a rule.
const DECIDED: &str = "INSERT INTO decisions SELECT id, stored_ms, key, assertion, author_node_id, author_node_id, 'admitted', 'aligned', 0.1,
  0.1, 0.1, 0.1, zeroblob(200), 1, NULL FROM records WHERE id NOT IN (SELECT id FROM decisions); UPDATE records SET decision_id = id;";
/// What a peer has beside its records: the newest decisions, and an inbox that was read.
const LIVED: &str = "INSERT INTO decisions SELECT id, stored_ms, key, assertion, author_node_id, author_node_id, 'admitted', 'aligned', 0.1,
  0.1, 0.1, 0.1, zeroblob(200), 1, NULL FROM records WHERE id > (SELECT max(id) FROM records) - 100000;
UPDATE records SET decision_id = id WHERE id > (SELECT max(id) FROM records) - 100000;
INSERT INTO inbox (key, assertion, from_node_id, received_ms, ingested, directed, decision_id, proof)
  SELECT key, assertion, author_node_id, stored_ms, 1, 0, id, 'signature' FROM records ORDER BY id DESC LIMIT 4096;";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("covey-forget-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("store.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("the folder is ours");
    }
}

/// Words of which the common ones are common, by a generator that needs no crate.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    fn words(&mut self, count: usize) -> String {
        let word = |dice: &mut Self| {
            let most = 1 << dice.roll(15);
            format!("w{}", dice.roll(most))
        };
        let words: Vec<String> = (0..count).map(|_| word(self)).collect();
        words.join(" ")
    }
}

fn said(author: NodeId, number: usize, dice: &mut Dice, parent: Option<ContentKey>, key: &SigningKey) -> Verified {
    let mut draft = Draft::new(author, "writer", NOW, "den").expect("the label and room are valid");
    let texts = [(Category::Focus, 10), (Category::Issue, 12), (Category::Intent, 12), (Category::Mood, 1)];
    for (category, count) in texts {
        let text = dice.words(count);
        draft.say(category, &format!("{text} n{number}")).expect("the text is short");
    }
    draft.descend(parent.as_slice()).expect("one parent");
    sign(draft, key).expect("the key signs")
}

fn fill(file: &Path, count: usize) {
    let key = SigningKey::from_seed(&[7; 32]).expect("any seed is a key");
    let (mut dice, mut keys) = (Dice(0x9e37_79b9_7f4a_7c15), Vec::new());
    let store = Store::open(file, ME).expect("a new store opens");
    for page in (0..count).collect::<Vec<_>>().chunks(PAGE) {
        let blocks: Vec<Verified> = page
            .iter()
            .map(|number| {
                let late = keys.len().min(1_000);
                let parent = (late > 0 && dice.roll(10) < 3).then(|| keys[keys.len() - 1 - dice.roll(late)]);
                let block = said(ANN, *number, &mut dice, parent, &key);
                keys.push(block.record().metadata.key);
                block
            })
            .collect();
        let borrowed: Vec<_> = blocks.iter().collect();
        store.carry_in(&borrowed, NOW + page[0] as u64).expect("the page fits");
        while store.index().expect("the index grows") > 0 {}
        while store.merge_some().expect("the index is merged") {}
    }
    store.close().expect("it closes");
    let connection = rusqlite::Connection::open(file).expect("the store is a database");
    connection.execute_batch(LIVED).expect("the store has what is changed");
}

/// Nanoseconds that this thread ran, as the system says; 0 where it does not say.
fn ran() -> u64 {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    said.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn milliseconds(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    let shown = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    format!(
        "p50 {:7.2}  p90 {:7.2}  p99 {:7.2}  worst {:7.2}",
        shown(at(50)),
        shown(at(90)),
        shown(at(99)),
        shown(times.last())
    )
}

/// Does what the variant says, and returns with how many blocks, and how long it took to find them.
fn pass(store: &Store, work: Work, before: u64, times: &mut Vec<Duration>) -> (usize, Duration) {
    let began = Instant::now();
    let mut pass =
        matches!(work, Work::Forget).then(|| store.forgettable(before, usize::MAX).expect("the store reads"));
    let (found, mut done, mut after) = (began.elapsed(), 0, 0);
    loop {
        let began = Instant::now();
        let (dealt, over) = match (&mut pass, work) {
            (Some(pass), _) => (store.forget(pass).expect("the store writes"), pass.is_over()),
            (None, Work::Carry) => {
                let page = store.carry_out(after, usize::MAX).expect("the store reads");
                after = page.last().map_or(after, |last| last.seq);
                (page.len(), page.is_empty())
            }
            (None, Work::Nothing(seconds)) => {
                std::thread::sleep(Duration::from_secs(seconds));
                (0, true)
            }
            (None, _) => {
                let moved = store.archive_idle(before).expect("the store writes");
                (moved, moved == 0)
            }
        };
        times.push(began.elapsed());
        done += dealt;
        if over {
            return (done, found);
        }
    }
}

/// Commits own blocks until told to stop; returns how long each took.
fn speak(store: &Store, stopped: &AtomicBool, blocks: &[Verified]) -> Vec<Duration> {
    let mut waited = Vec::new();
    for block in blocks {
        if stopped.load(Ordering::Acquire) {
            break;
        }
        let began = Instant::now();
        store.put_own(block, NOW * 2, &[]).expect("the store writes");
        waited.push(began.elapsed());
        std::thread::sleep(EVERY.saturating_sub(began.elapsed()));
    }
    waited
}

fn measure(variant: &Variant, filled: &Path, records: usize, own: &[Verified]) {
    let folder = Folder::new(variant.name);
    std::fs::copy(filled, folder.file()).expect("the disk has room");
    let connection = rusqlite::Connection::open(folder.file()).expect("the store is a database");
    connection.execute_batch(variant.before).expect("the store has what is changed");
    drop(connection);
    let store = Store::open(folder.file(), ME).expect("the store opens");
    let stopped = AtomicBool::new(false);
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        let speaker = variant.commits.then(|| scope.spawn(|| speak(&store, &stopped, own)));
        let (began, worked) = (Instant::now(), ran());
        let (gone, found) = pass(&store, variant.work, NOW + records as u64 / 2, &mut times);
        let (took, worked) = (began.elapsed(), ran().saturating_sub(worked));
        stopped.store(true, Ordering::Release);
        println!("{:16} {gone} in {:.2} s", variant.name, took.as_secs_f64());
        if gone > 0 {
            #[allow(clippy::cast_precision_loss, reason = "some seconds")]
            let each = worked as f64 / 1_000.0 / gone as f64;
            let calls = times.len();
            println!("    found in {:.2} s, {calls} calls, processor {each:.1} us a block", found.as_secs_f64());
            println!("    a call, ms:   {}", milliseconds(&mut times));
        }
        if let Some(speaker) = speaker {
            let mut waited = speaker.join().expect("the commits succeed");
            println!("    a commit, ms: {} ({})", milliseconds(&mut waited), waited.len());
        }
    });
    assert!(store.integrity().expect("it reads").is_empty());
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |name: &str, usual: usize| {
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1)).and_then(|word| word.parse().ok()).unwrap_or(usual)
    };
    let (records, rounds) = (number("--records", RECORDS), number("--rounds", 1));
    let named: Vec<&Variant> =
        VARIANTS.iter().filter(|variant| words.iter().any(|word| word == variant.name)).collect();
    let chosen = if named.is_empty() { VARIANTS.iter().collect() } else { named };
    let (folder, kept) = (Folder::new("filled"), words.iter().position(|word| word == "--store"));
    let filled = kept.and_then(|at| words.get(at + 1)).map_or_else(|| folder.file(), PathBuf::from);
    if !filled.exists() {
        let began = Instant::now();
        fill(&filled, records);
        println!("{records} records made in {:.0} s", began.elapsed().as_secs_f64());
    }
    let (mut dice, key) = (Dice(11), SigningKey::from_seed(&[9; 32]).expect("any seed is a key"));
    let own: Vec<Verified> = (0..20_000).map(|at| said(ME, records + at, &mut dice, None, &key)).collect();
    for _ in 0..rounds {
        for variant in &chosen {
            measure(variant, &filled, records, &own);
        }
    }
}
