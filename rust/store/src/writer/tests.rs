//! The writer's thread at a desk that does what a test says.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::StoreError;
use crate::error::StoreReason;

const BOUNDS: Bounds = Bounds { queue_rows: 100, group_rows: 10 };
const PACES: Paces =
    Paces { rest: Duration::from_millis(20), busy_rows: 64, burst_rows: 32, slice_rows: 512, lag_rows: 16_384 };

/// What a job has the desk do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Keep,
    /// Fail, with whatever is written together with it.
    Fail,
    /// Say that it has begun, and wait for the gate.
    Wait,
    Panic,
    Break,
    /// Forget one outcome.
    Lose,
    /// Have the index fail from now on.
    Tear,
    /// Have its pieces fail to merge.
    Jam,
    /// Have the log fail to be copied back.
    Clog,
    /// Have the index panic.
    Trip,
    /// Have nobody come who is rung next.
    Mute,
    /// Have the index say that it has begun, and wait for the gate.
    Slow,
}

#[derive(Debug, PartialEq, Eq)]
struct Note {
    number: u32,
    rows: usize,
    what: What,
    kind: u8,
}

impl Job for Note {
    type Done = u32;

    fn rows(&self) -> usize {
        self.rows
    }

    fn joins(&self, first: &Self) -> bool {
        self.kind == first.kind && self.what != What::Wait
    }
}

fn note(number: u32, rows: usize, what: What) -> Note {
    Note { number, rows, what, kind: 0 }
}

/// A desk; what was written in each transaction stands in `written`.
struct Fake {
    written: Arc<Mutex<Vec<Vec<u32>>>>,
    begun: Sender<()>,
    gate: Receiver<()>,
    rings: Sender<()>,
    torn: Mutex<What>,
    copied: Arc<Mutex<Option<(Instant, Instant)>>>,
}

const WHY: &str = "store_disk_full: store store.db: no room";

fn fault() -> StoreError {
    crate::error::Fault::new(StoreReason::DiskFull, "no room").at(std::path::Path::new("store.db"))
}

impl Desk<Note> for Fake {
    fn write(&self, group: &[Note]) -> Result<Vec<u32>, Failure> {
        for job in group {
            match job.what {
                What::Keep | What::Lose => (),
                What::Fail => return Err(Failure::Refused { reason: "bad".into(), detail: format!("{}", job.number) }),
                What::Wait => {
                    self.begun.send(()).unwrap();
                    self.gate.recv().unwrap();
                }
                What::Panic => panic!("out of bounds"),
                What::Break => return Err(Failure::Broken("the interpreter ends".into())),
                What::Tear | What::Jam | What::Clog | What::Trip | What::Mute | What::Slow => {
                    *self.torn.lock().unwrap() = job.what;
                }
            }
        }
        let lost = usize::from(group.iter().any(|job| job.what == What::Lose));
        let numbers: Vec<u32> = group.iter().map(|job| job.number).collect();
        self.written.lock().unwrap().push(numbers.clone());
        Ok(numbers[lost..].to_vec())
    }

    fn index(&self, _most: u64, wanted: Option<&dyn Fn() -> bool>) -> Result<u64, StoreError> {
        let mut torn = self.torn.lock().unwrap();
        if *torn == What::Slow {
            *torn = What::Keep; // once
            self.begun.send(()).unwrap();
            self.gate.recv().unwrap();
            let asked = wanted.map_or(0, |wanted| 1 + u32::from(wanted()));
            self.written.lock().unwrap().push(vec![1_000 + asked]);
        }
        match *torn {
            What::Trip => panic!("index out of bounds"),
            What::Tear => Err(fault()),
            _ => Ok(0),
        }
    }

    fn merge(&self) -> Result<bool, StoreError> {
        if *self.torn.lock().unwrap() == What::Jam { Err(fault()) } else { Ok(false) }
    }

    fn log_trouble(&self) -> Option<String> {
        (*self.torn.lock().unwrap() == What::Clog).then(|| WHY.to_owned())
    }

    fn synced(&self) -> Duration {
        Duration::from_micros(7)
    }

    fn log_copied(&self) -> Option<(Instant, Instant)> {
        *self.copied.lock().unwrap()
    }

    fn ring(&self) -> bool {
        let mut torn = self.torn.lock().unwrap_or_else(PoisonError::into_inner);
        if *torn == What::Mute {
            *torn = What::Keep;
            return false;
        }
        self.rings.send(()).is_ok()
    }
}

/// A writer at such a desk.
struct Bench {
    writer: Writer<Note>,
    written: Arc<Mutex<Vec<Vec<u32>>>>,
    begun: Receiver<()>,
    gate: Sender<()>,
    rings: Receiver<()>,
    copied: Arc<Mutex<Option<(Instant, Instant)>>>,
}

type Told = Vec<(u32, Result<u32, String>)>;

impl Bench {
    fn new() -> Self {
        Self::paced(PACES)
    }

    fn paced(paces: Paces) -> Self {
        let (written, (begins, begun)) = (Arc::new(Mutex::new(Vec::new())), channel());
        let ((gate, opened), (ring, rings)) = (channel(), channel());
        let (torn, copied) = (Mutex::new(What::Keep), Arc::new(Mutex::new(None)));
        let given = Arc::clone(&copied);
        let desk =
            Fake { written: Arc::clone(&written), begun: begins, gate: opened, rings: ring, torn, copied: given };
        Self { writer: Writer::begin(desk, BOUNDS, paces).unwrap(), written, begun, gate, rings, copied }
    }

    /// Returns once the writer waits at the gate.
    fn busy(&self) {
        self.writer.hand_in(note(0, 1, What::Wait)).unwrap();
        self.begun.recv().unwrap();
    }

    fn give(&self, number: u32, rows: usize, what: What) {
        self.writer.hand_in(note(number, rows, what)).unwrap();
    }

    /// Waits for so many answers, as whoever is rung takes them.
    fn answers(&self, count: usize) -> Told {
        let mut told = Vec::new();
        while told.len() < count {
            self.rings.recv_timeout(Duration::from_secs(30)).expect("somebody is told");
            told.extend(self.taken());
        }
        told
    }

    fn taken(&self) -> Told {
        let answers = self.writer.take().0;
        answers.into_iter().map(|each| (each.job.number, each.outcome.map_err(|(reason, _)| reason))).collect()
    }

    fn written(&self) -> Vec<Vec<u32>> {
        self.written.lock().unwrap().clone()
    }
}

fn kept(numbers: impl IntoIterator<Item = u32>) -> Told {
    numbers.into_iter().map(|number| (number, Ok(number))).collect()
}

#[test]
fn what_comes_while_it_is_busy_shares_transactions_as_large_as_they_may_be() {
    let bench = Bench::new();
    bench.busy();
    for number in 1..=5 {
        bench.give(number, 4, What::Keep);
    }
    bench.gate.send(()).unwrap();
    assert_eq!(bench.answers(6), kept(0..=5));
    assert_eq!(bench.written(), [vec![0], vec![1, 2], vec![3, 4], vec![5]]);
    let standing = bench.writer.standing();
    assert_eq!((standing.transactions, standing.waiting_rows, standing.untaken), (4, 0, 0));
}

#[test]
fn jobs_that_do_not_join_are_written_apart_and_in_order() {
    let bench = Bench::new();
    bench.busy();
    for (number, kind) in [(1, 0), (2, 1), (3, 1), (4, 0)] {
        bench.writer.hand_in(Note { number, rows: 1, what: What::Keep, kind }).unwrap();
    }
    bench.gate.send(()).unwrap();
    assert_eq!(bench.answers(5), kept(0..=4));
    assert_eq!(bench.written(), [vec![0], vec![1], vec![2, 3], vec![4]]);
}

#[test]
fn one_bad_job_does_not_take_its_neighbours_with_it() {
    let bench = Bench::new();
    bench.busy();
    bench.give(1, 1, What::Keep);
    bench.give(2, 1, What::Fail);
    bench.give(3, 1, What::Keep);
    bench.gate.send(()).unwrap();
    assert_eq!(bench.answers(4), [(0, Ok(0)), (1, Ok(1)), (2, Err("bad".to_owned())), (3, Ok(3))]);
    assert_eq!(bench.written(), [vec![0], vec![1], vec![3]]);
    assert_eq!(bench.writer.standing().transactions, 1 + 1 + 3);
}

#[test]
fn a_full_queue_takes_nothing_and_an_empty_one_takes_what_is_larger_than_itself() {
    let bench = Bench::new();
    bench.give(1, 1_000, What::Keep);
    assert_eq!(bench.answers(1), kept([1]));
    bench.busy();
    bench.give(2, 99, What::Keep);
    let (job, why) = bench.writer.hand_in(note(3, 1, What::Keep)).unwrap_err();
    assert_eq!((job.number, why), (3, Untaken::Busy(100)));
    bench.gate.send(()).unwrap();
    assert_eq!(bench.answers(2), kept([0, 2]));
    bench.give(3, 1, What::Keep);
    assert_eq!(bench.answers(1), kept([3]));
}

#[test]
fn closing_finishes_what_waits_and_takes_nothing_more() {
    let bench = Bench::new();
    bench.busy();
    bench.give(1, 1, What::Keep);
    bench.gate.send(()).unwrap();
    bench.writer.close();
    bench.writer.close();
    assert_eq!(bench.taken(), kept([0, 1]));
    assert_eq!(bench.writer.hand_in(note(2, 1, What::Keep)).unwrap_err().1, Untaken::Closed);
}

#[test]
fn whoever_is_rung_is_not_rung_again_before_he_has_come() {
    let bench = Bench::new();
    bench.busy();
    for number in 1..=5 {
        bench.give(number, 10, What::Keep);
    }
    bench.gate.send(()).unwrap();
    bench.writer.close();
    assert_eq!(bench.rings.try_iter().count(), 1, "six transactions, and nobody came");
    assert_eq!(bench.writer.standing().untaken, 6);
    let (answers, _, rung) = bench.writer.take();
    assert_eq!((answers.len(), rung), (6, true));
    assert!(!bench.writer.take().2);
}

#[test]
fn where_nobody_came_whoever_is_rung_next_takes_all() {
    let bench = Bench::new();
    bench.give(1, 1, What::Mute);
    while bench.writer.standing().untaken == 0 {
        thread::yield_now();
    }
    bench.give(2, 1, What::Keep);
    assert_eq!(bench.answers(2), kept([1, 2]));
}

#[test]
fn closing_waits_for_as_long_as_it_is_told_and_can_be_taken_up_again() {
    let bench = Bench::new();
    bench.busy();
    assert!(!bench.writer.close_within(Duration::from_millis(1)));
    assert_eq!(bench.writer.hand_in(note(1, 1, What::Keep)).unwrap_err().1, Untaken::Closed);
    bench.gate.send(()).unwrap();
    assert!(bench.writer.close_within(Duration::from_secs(30)));
    assert_eq!(bench.taken(), kept([0]));
}

#[test]
fn a_writer_that_panics_answers_whoever_waits_and_says_why() {
    let bench = Bench::new();
    bench.busy();
    bench.give(1, 10, What::Panic);
    bench.give(2, 10, What::Keep);
    bench.gate.send(()).unwrap();
    let closed = || Err("store_closed".to_owned());
    assert_eq!(bench.answers(3), [(0, Ok(0)), (1, closed()), (2, closed())]);
    let why = "panic: out of bounds".to_owned();
    assert_eq!(bench.writer.hand_in(note(3, 1, What::Keep)).unwrap_err().1, Untaken::Ended(why.clone()));
    let standing = bench.writer.standing();
    assert_eq!((standing.troubles[3].as_ref(), standing.waiting_rows), (Some(&why), 0));
    bench.writer.close();
}

#[test]
fn what_was_kept_before_it_broke_is_answered_as_kept() {
    let bench = Bench::new();
    bench.busy();
    for (number, what) in [(1, What::Keep), (2, What::Fail), (3, What::Break), (4, What::Keep)] {
        bench.give(number, 1, what);
    }
    bench.gate.send(()).unwrap();
    let told = bench.answers(5);
    let words: Vec<_> =
        told[1..].iter().map(|(_, outcome)| outcome.clone().map_or_else(|why| why, |_| "kept".into())).collect();
    assert_eq!(words, ["kept", "bad", "store_closed", "store_closed"]);
    assert_eq!(bench.written(), [vec![0], vec![1]]);
}

#[test]
fn an_outcome_too_few_is_no_outcome_of_a_neighbour() {
    let bench = Bench::new();
    bench.busy();
    bench.give(1, 1, What::Lose);
    bench.give(2, 1, What::Keep);
    bench.gate.send(()).unwrap();
    let told = bench.answers(3);
    assert_eq!(told[1..].iter().map(|(_, outcome)| outcome.is_err()).collect::<Vec<_>>(), [true, true]);
}

#[test]
fn an_index_that_panics_ends_the_writer_after_the_answer() {
    let bench = Bench::new();
    bench.give(1, 1, What::Trip);
    // Who comes for the answer takes the complaint with it where that was quicker than he.
    let (mut numbers, mut complaints) = (Vec::new(), Vec::new());
    while complaints.is_empty() {
        bench.rings.recv_timeout(Duration::from_secs(30)).expect("somebody is told");
        let (answers, more, _) = bench.writer.take();
        numbers.extend(answers.into_iter().map(|each| each.outcome.map_err(|(reason, _)| reason)));
        complaints.extend(more);
    }
    assert_eq!(numbers, [Ok(1)]);
    assert_eq!(complaints, [(Part::Writer, "panic: index out of bounds".to_owned())]);
}

/// Returns what is complained of while jobs are written, of which the first has `what` fail beside them.
fn complaints(what: What) -> (Vec<(Part, String)>, Standing) {
    let bench = Bench::paced(Paces { rest: Duration::ZERO, ..PACES });
    let mut complaints = Vec::new();
    for number in 1..=8 {
        bench.give(number, 1, if number == 1 { what } else { What::Keep });
        let mut answered = false;
        while !answered {
            bench.rings.recv_timeout(Duration::from_secs(30)).expect("somebody is told");
            let (answers, complained, _) = bench.writer.take();
            answered = !answers.is_empty();
            complaints.extend(complained);
        }
        while complaints.is_empty() {
            bench.rings.recv_timeout(Duration::from_secs(30)).expect("somebody is told of what fails");
            complaints.extend(bench.writer.take().1);
        }
    }
    bench.writer.close();
    complaints.extend(bench.writer.take().1);
    (complaints, bench.writer.standing())
}

#[test]
fn what_fails_beside_the_jobs_is_told_once_and_stops_nothing() {
    for (what, part) in [(What::Tear, Part::Index), (What::Jam, Part::Merge), (What::Clog, Part::Log)] {
        let (told, standing) = complaints(what);
        assert_eq!(told, [(part, WHY.to_owned())]);
        assert_eq!(standing.troubles[part as usize].as_deref(), Some(WHY));
        assert_eq!(standing.transactions, 8);
    }
}

#[test]
fn a_job_that_comes_during_a_slice_is_seen_by_it_and_not_in_bulk() {
    for (rows, asked) in [(1, 1_002), (32, 1_000)] {
        let bench = Bench::paced(Paces { rest: Duration::ZERO, ..PACES });
        bench.give(1, rows, What::Slow);
        bench.begun.recv().unwrap();
        bench.give(2, 1, What::Keep);
        bench.gate.send(()).unwrap();
        bench.answers(2);
        assert_eq!(bench.written()[..2], [vec![1], vec![asked]], "{rows} rows");
    }
}

#[test]
fn what_the_thread_did_is_kept_where_somebody_watches_and_no_more_than_was_asked() {
    let bench = Bench::new();
    bench.give(1, 1, What::Keep);
    bench.answers(1);
    assert_eq!(bench.writer.deeds(), []);
    bench.writer.watch(6);
    let before = Instant::now();
    *bench.copied.lock().unwrap() = Some((before, before));
    for number in 2..12 {
        bench.give(number, 1, What::Keep);
        bench.answers(1);
    }
    bench.writer.close();
    let deeds = bench.writer.deeds();
    assert_eq!(deeds.len(), 6);
    assert!(deeds.iter().any(|deed| (deed.did, deed.began) == (Did::Copy, before)), "{deeds:?}");
    let write = deeds.iter().rfind(|deed| deed.did == Did::Write).unwrap(); // what it was at when it was watched may be first
    assert!(before <= write.began && write.began <= write.ended, "{write:?}");
    assert_eq!(write.disk, Duration::from_micros(7));
    assert_eq!(deeds.iter().filter(|deed| deed.did == Did::Copy).count(), 1, "once for each copy");
}
