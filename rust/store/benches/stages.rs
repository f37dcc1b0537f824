//! What a durable block costs on the writer's thread, stage by stage, within one run.
//!
//! `cargo bench -p covey-store --bench stages` prints the processor's time of each stage for a block: rounds of all
//! stages alternate, each on a new store, and the median of the rounds counts, so that what else the machine does
//! falls on all alike. A stage that leaves out an index says by the difference what the index costs. Beside it stand
//! the bytes that went into the log for a block. `-- count <stage>` runs one stage once with fewer blocks, for callgrind,
//! which is told to collect in `counted` only; `-- stages` names them, `-- blocks` says how many blocks are counted.
//! `-- --quick` is one round of each with as few: it says that all of it runs, and nothing about how fast.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use covey_core::category::{Category, Weights};
use covey_core::id::NodeId;
use covey_core::identity::SigningKey;
use covey_core::intake::{Intake, OutcomeBatch, Policy};
use covey_core::record::{Batch, Draft, Unverified, Verified};
use covey_core::signature::sign;
use covey_core::svaf::{Gate, Thresholds};
use covey_store::{Own, Store};

const NOW: u64 = 1_790_000_000_000;
const ME: NodeId = NodeId::from_bytes([1; 16]);
const ANN: NodeId = NodeId::from_bytes([2; 16]);
/// Blocks of one stage, and of one that is counted or only tried.
const BLOCKS: usize = 4_096;
const FEW_BLOCKS: usize = 1_024;
/// Blocks of one batch, and batches of one commit, as a busy peer's writer has them.
const BATCH: usize = 256;
const TOGETHER: usize = 4;
const ROUNDS: usize = 5;

/// A stage: what it is called, what is done to the new store before, and what is measured.
struct Stage {
    name: &'static str,
    before: &'static str,
    work: Work,
}

#[derive(Clone, Copy)]
enum Work {
    /// Commits of judged blocks.
    Hear,
    /// Own blocks.
    Own,
    /// The full text of what is stored, in slices of so many.
    Index(i64),
}

const BARE: &str = "DROP INDEX records_by_author; DROP INDEX records_by_activity; DROP INDEX records_by_time;";
/// What a full-text index is that nobody has set.
const UNSET: &str = "INSERT INTO recall (recall, rank) VALUES ('automerge', 4), ('crisismerge', 16);";
const STAGES: &[Stage] = &[
    Stage { name: "hear", before: "", work: Work::Hear },
    Stage { name: "hear-author", before: "DROP INDEX records_by_author;", work: Work::Hear },
    Stage { name: "hear-activity", before: "DROP INDEX records_by_activity;", work: Work::Hear },
    Stage { name: "hear-time", before: "DROP INDEX records_by_time;", work: Work::Hear },
    Stage { name: "hear-bare", before: BARE, work: Work::Hear },
    Stage { name: "own", before: "", work: Work::Own },
    Stage { name: "own-bare", before: BARE, work: Work::Own },
    Stage { name: "index-32", before: "", work: Work::Index(32) },
    Stage { name: "index-128", before: "", work: Work::Index(128) },
    Stage { name: "index-512", before: "", work: Work::Index(512) },
    Stage { name: "index-32-unset", before: UNSET, work: Work::Index(32) },
    Stage { name: "index-128-unset", before: UNSET, work: Work::Index(128) },
    Stage { name: "index-512-unset", before: UNSET, work: Work::Index(512) },
];

/// The same judged blocks and own records for every stage.
struct Blocks {
    heard: Vec<OutcomeBatch>,
    own: Vec<Verified>,
}

impl Blocks {
    fn new(count: usize, heard: bool, own: bool) -> Self {
        let open = Thresholds { stable: 2.0, guarded: 2.0, redundancy: 0.0, ..Thresholds::REFERENCE };
        let gate = Gate::new(Weights::UNIFORM, open).expect("these thresholds are in range");
        let key = SigningKey::from_seed(&[7; 32]).expect("any seed is a key");
        let mut intake = Intake::new(ME, "den", Policy::new(gate)).expect("the room is valid");
        intake.bind(ANN, *key.public());
        let numbers: Vec<usize> = (0..count).collect();
        let judged = numbers.chunks(BATCH).map(|some| {
            let signed = some.iter().map(|number| Unverified::distrust(said(ANN, *number, &key).into_record()));
            intake.evaluate(Batch(signed.collect()), ANN, NOW).expect("a batch of 256 fits")
        });
        Self {
            heard: if heard { judged.collect() } else { Vec::new() },
            own: if own { numbers.iter().map(|number| said(ME, *number, &key)).collect() } else { Vec::new() },
        }
    }
}

/// A block as agents write them: some eighty words, most of which come again.
fn said(author: NodeId, number: usize, key: &SigningKey) -> Verified {
    let subject = ["the parser", "the store", "the handshake", "the index", "the release"][number % 5];
    let verb = ["drops frames", "loses a row", "times out", "starves", "is ready", "grows"][number / 5 % 6];
    let place = ["under load", "after a restart", "on slow disks", "with two peers", "at start-up"][number / 30 % 5];
    let mut draft = Draft::new(author, "writer", NOW, "den").expect("the label and room are valid");
    let texts = [
        format!("{subject} {verb} {place} (report {number})"),
        format!("{verb} seen {} times, last {place}; the log shows no data lost", number % 13 + 1),
        format!("find out why {subject} {verb}, and propose the smallest change that stops it"),
        "users wait for the release, and this one blocks it".to_owned(),
        format!("I will look at {subject} first and report what I find"),
        "maintainer of the runtime, reading logs from the field".to_owned(),
        "concerned but calm".to_owned(),
    ];
    for (category, text) in Category::ALL.into_iter().zip(texts) {
        draft.say(category, &text).expect("the text is short");
    }
    sign(draft, key).expect("the key signs")
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("covey-stages-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("the folder is ours");
    }
}

/// A new store, changed as the stage wants it; what is to be indexed is stored.
fn prepared(stage: &Stage, blocks: &Blocks, folder: &Path) -> Store {
    let file = folder.join("store.db");
    drop(Store::open(&file, ME).expect("a new store opens"));
    let connection = rusqlite::Connection::open(&file).expect("the store is a database");
    connection.execute_batch(stage.before).expect("the store has what is changed");
    drop(connection);
    let store = Store::open(&file, ME).expect("an index that is missing is none of its business");
    if matches!(stage.work, Work::Index(_)) {
        hear(&store, blocks);
    }
    store
}

fn hear(store: &Store, blocks: &Blocks) {
    for group in blocks.heard.chunks(TOGETHER) {
        let group: Vec<_> = group.iter().collect();
        let report = store.commit(&group, NOW).expect("the commit succeeds");
        assert_eq!(report.stored, group.len() * BATCH);
    }
}

/// What is measured; callgrind is told its name.
#[inline(never)]
fn counted(store: &Store, stage: &Stage, blocks: &Blocks) {
    match stage.work {
        Work::Hear => hear(store, blocks),
        Work::Own => {
            for records in blocks.own.chunks(BATCH * TOGETHER) {
                let own: Vec<_> =
                    records.iter().map(|record| Own { record, recipients: &[], deadline_ms: None }).collect();
                store.put_own_many(&own, NOW).expect("own records are stored");
            }
        }
        Work::Index(slice) => while store.index_some(slice).expect("the index grows") > 0 {},
    }
}

/// Nanoseconds that this thread ran, as the system says; none where it does not say.
fn ran() -> Option<u64> {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    said.split(' ').next()?.parse().ok()
}

/// Bytes that this thread handed to the system to write.
fn wrote() -> Option<u64> {
    let said = std::fs::read_to_string("/proc/thread-self/io").ok()?;
    said.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()
}

fn time(stages: &[&Stage], rounds: usize, count: usize) {
    let blocks = Blocks::new(count, true, true);
    let mut found: Vec<Vec<(u64, u64)>> = vec![Vec::new(); stages.len()];
    for round in 0..rounds {
        for (stage, figures) in stages.iter().zip(&mut found) {
            let folder = Folder::new(&format!("{}-{round}", stage.name));
            let store = prepared(stage, &blocks, &folder.0);
            let (Some(began), Some(written)) = (ran(), wrote()) else {
                println!("stages: skipped: this system does not say for how long a thread ran");
                return;
            };
            counted(&store, stage, &blocks);
            figures.push((ran().unwrap_or(began) - began, wrote().unwrap_or(written) - written));
        }
    }
    println!("{:16}{:>14}{:>20}", "stage", "us a block", "bytes written");
    for (stage, figures) in stages.iter().zip(&mut found) {
        figures.sort_unstable();
        let (ran, wrote) = figures[rounds / 2];
        let per_block = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        #[allow(clippy::cast_precision_loss, reason = "some seconds, some megabytes")]
        let (us, bytes) = (ran as f64 / 1_000.0 / per_block, wrote as f64 / per_block);
        println!("{:16}{us:14.2}{bytes:20.0}", stage.name);
    }
}

/// Run one stage once.
fn count(stage: &Stage) {
    let own = matches!(stage.work, Work::Own);
    let blocks = Blocks::new(FEW_BLOCKS, !own, own);
    let folder = Folder::new(stage.name);
    counted(&prepared(stage, &blocks, &folder.0), stage, &blocks);
}

/// The stages of these names.
fn named(words: &[&str]) -> Result<Vec<&'static Stage>, String> {
    let find = |word: &&str| {
        let found = STAGES.iter().find(|stage| stage.name == *word);
        found.ok_or_else(|| format!("no {word}; usage: stages | blocks | count STAGE | [--quick] [STAGE...]"))
    };
    words.iter().map(find).collect()
}

fn run(words: &[&str]) -> Result<(), String> {
    let (words, rounds, blocks) = match words {
        ["stages"] => {
            for stage in STAGES {
                println!("{}", stage.name);
            }
            return Ok(());
        }
        ["blocks"] => {
            println!("{FEW_BLOCKS}");
            return Ok(());
        }
        ["count", words @ ..] => {
            named(words)?.into_iter().for_each(count);
            return Ok(());
        }
        ["--quick", words @ ..] => (words, 1, FEW_BLOCKS),
        words => (words, ROUNDS, BLOCKS),
    };
    let chosen = named(words)?;
    time(&if chosen.is_empty() { STAGES.iter().collect() } else { chosen }, rounds, blocks);
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Err(problem) = run(&words.iter().map(String::as_str).collect::<Vec<_>>()) {
        eprintln!("stages: {problem}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
