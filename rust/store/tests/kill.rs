//! `kill -9` at any moment loses nothing that was acknowledged, and never leaves a store that does not open.
//!
//! A real process writes and acknowledges on a pipe; it is killed 50 times at random moments, and ten times more
//! while it creates its file. It is this program again, so the harness is our own `main`.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use common::{ANN, BOB, Folder, ME, NOW, hear, key_of, node, open_minded, says};
use covey_store::Store;

const STORE: &str = "COVEY_TEST_STORE";
const FIRST: &str = "COVEY_TEST_FIRST";
const BULK: &str = "COVEY_TEST_BULK";
const KILLS: u64 = 50;
/// Of so many kills one meets a writer whose log is being copied back: its operations are large.
const BULK_EVERY: u64 = 10;
const BULK_BYTES: usize = 3 << 20;
const KILLS_WHILE_CREATING: u64 = 10;

fn main() {
    match std::env::var(STORE) {
        Ok(path) => write_for_ever(Path::new(&path)),
        Err(_) => be_killed(),
    }
}

// --- the writer ----------------------------------------------------------------------------------

fn write_for_ever(path: &Path) {
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let mut bulk = vec![0; if std::env::var(BULK).is_ok() { BULK_BYTES } else { 0 }];
    let store = Store::open(path, node(ME)).unwrap();
    let mut pipe = std::io::stdout().lock();
    for number in first.. {
        bulk.fill(number.to_le_bytes()[0]); // a page that stays as it was is not written
        perform(&store, number, &bulk);
        // One write, far below the size a pipe takes whole.
        pipe.write_all(format!("{number}\n").as_bytes()).unwrap();
        pipe.flush().unwrap();
    }
}

/// The operation of each number, so that the reader knows what an acknowledged number stands for.
fn perform(store: &Store, number: u64, bulk: &[u8]) {
    match number % 4 {
        0 | 1 => {
            let blocks: Vec<_> = focuses(number).iter().map(|focus| says(ANN, focus)).collect();
            store.commit(&[&hear(&mut open_minded(), &blocks)], NOW).unwrap();
        }
        2 => assert!(store.put_own(&own(number), NOW, &[node(BOB)]).unwrap()),
        _ => {
            let (last, woken) = (number.to_string(), key_of(&own(number)));
            assert!(!store.woken(woken).unwrap());
            store.state_put_many(&[("last", last.as_bytes()), ("bulk", bulk)], &[woken]).unwrap();
        }
    }
    if number.is_multiple_of(16) {
        store.index().unwrap();
    }
}

fn focuses(number: u64) -> Vec<String> {
    (0..=number % 7).map(|at| format!("block {number} part {at}")).collect()
}

fn own(number: u64) -> covey_core::record::Verified {
    says(ME, &format!("own {number}"))
}

// --- the reader ----------------------------------------------------------------------------------

fn be_killed() {
    let started = Instant::now();
    let folder = Folder::new();
    let mut random = Random::new();
    println!("kill: seed {}", random.0);
    let mut acknowledged = BTreeSet::new();
    for round in 0..KILLS {
        let first = round * 10_000;
        let bulky = round % BULK_EVERY == 0;
        let child = spawn(&folder.file(), first, bulky);
        let wait_for = if bulky { 20 + random.next() % 8 } else { random.next() % 24 };
        let then = Duration::from_micros(random.next() % 3_000);
        acknowledged.extend(kill(child, wait_for, then));
        check(&folder.file(), &acknowledged, round);
    }
    assert!(acknowledged.len() > 100, "only {} operations were acknowledged", acknowledged.len());
    for _ in 0..KILLS_WHILE_CREATING {
        let folder = Folder::new();
        let child = spawn(&folder.file(), 0, false);
        let then = Duration::from_micros(random.next() % 20_000);
        let acknowledged = kill(child, 0, then).into_iter().collect();
        check(&folder.file(), &acknowledged, 0);
    }
    println!(
        "kill: {KILLS} + {KILLS_WHILE_CREATING} kills, {} operations acknowledged, none lost, {:.1} s",
        acknowledged.len(),
        started.elapsed().as_secs_f64()
    );
}

fn spawn(store: &Path, first: u64, bulky: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(STORE, store).env(FIRST, first.to_string()).stdout(Stdio::piped());
    if bulky {
        command.env(BULK, "1");
    }
    command.spawn().unwrap()
}

/// Kills a writer some time after it acknowledged `wait_for` operations. Returns all it acknowledged.
fn kill(mut child: Child, wait_for: u64, then: Duration) -> Vec<u64> {
    let mut pipe = BufReader::new(child.stdout.take().unwrap());
    let mut lines = String::new();
    for _ in 0..wait_for {
        assert_ne!(pipe.read_line(&mut lines).unwrap(), 0, "the writer ended by itself");
    }
    std::thread::sleep(then);
    child.kill().unwrap();
    child.wait().unwrap();
    pipe.read_to_string(&mut lines).unwrap();
    // A last line without its end was not said.
    let whole = lines.rfind('\n').map_or("", |end| &lines[..end]);
    whole.lines().map(|line| line.parse().unwrap()).collect()
}

fn check(path: &Path, acknowledged: &BTreeSet<u64>, round: u64) {
    let store = Store::open(path, node(ME)).unwrap_or_else(|error| panic!("round {round}: {error}"));
    assert_eq!(store.integrity().unwrap(), Vec::<String>::new(), "round {round}");
    let mut rows = 0;
    for number in round * 10_000..round * 10_000 + 10_000 {
        let present = present(&store, number);
        if acknowledged.contains(&number) {
            assert!(present, "round {round}: {number} was acknowledged and is lost");
        } else if !present {
            break;
        }
        rows += usize::from(number % 4 < 2) * focuses(number).len();
    }
    let inbox = store.inbox(0, 10_000).unwrap();
    assert!(inbox.len() >= rows);
    let mut earlier = acknowledged.range(..round * 10_000).collect::<Vec<_>>();
    earlier.retain(|number| !present(&store, **number));
    assert!(earlier.is_empty(), "round {round}: lost from earlier rounds: {earlier:?}");
    store.close().unwrap();
}

/// Says whether an operation is in the store, and checks that it is there whole or not at all.
fn present(store: &Store, number: u64) -> bool {
    match number % 4 {
        0 | 1 => {
            let keys: Vec<_> = focuses(number).iter().map(|focus| key_of(&says(ANN, focus))).collect();
            let held = keys.iter().filter(|key| store.record(**key).unwrap().is_some()).count();
            let judged = keys.iter().filter(|key| !store.decisions(1, Some(**key)).unwrap().is_empty()).count();
            assert!(
                held == judged && (held == 0 || held == keys.len()),
                "{number}: {held} and {judged} of {}",
                keys.len()
            );
            held > 0
        }
        2 => {
            let record = own(number);
            let held = store.record(key_of(&record)).unwrap().is_some();
            let waiting = store.outbox(10_000, Some(node(BOB))).unwrap();
            assert_eq!(waiting.iter().any(|row| row.key == key_of(&record)), held, "{number}");
            held
        }
        _ => {
            let last =
                store.state_get("last").unwrap().map(|value| String::from_utf8(value).unwrap().parse::<u64>().unwrap());
            let woken = store.woken(key_of(&own(number))).unwrap();
            // The mark and the state that goes with it are one transaction.
            assert!(!woken || last >= Some(number));
            assert!(woken || last != Some(number));
            woken
        }
    }
}

/// A small generator; its seed is printed.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Self(now.subsec_nanos().into())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}
