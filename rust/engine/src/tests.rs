use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use super::*;
use covey_core::category::{Category, Weights};
use covey_core::intake::Policy;
use covey_core::limits::MAX_INTAKE_BATCH;
use covey_core::record::Unverified;
use covey_core::svaf::{Gate, Thresholds};
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000_000;

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn key(author: u8) -> SigningKey {
    SigningKey::from_seed(&[author; 32]).unwrap()
}

fn intake() -> Intake {
    let gate = Gate::new(Weights::UNIFORM, Thresholds::DEFAULT).unwrap();
    let mut intake = Intake::new(node(9), "den", Policy::new(gate)).unwrap();
    for author in 1..=3 {
        intake.bind(node(author), *key(author).public());
    }
    intake
}

/// A block of an author (the fourth is known to nobody), spoilt or not.
fn block(author: u8, number: u16, spoilt: bool) -> Unverified {
    let mut draft = Draft::new(node(author), "author", NOW, "den").unwrap();
    draft.say(Category::Focus, &format!("thing {number} of the {}th kind", number % 7)).unwrap();
    let mut record = signature::sign(draft, &key(author)).unwrap().into_record();
    if spoilt {
        record.metadata.signature[7] ^= 1;
    }
    Unverified::distrust(record)
}

prop_compose! {
    fn blocks()(
        what in prop::collection::vec((1..=4_u8, 0..60_u16, prop::bool::weighted(0.1)), 0..256),
    ) -> Vec<Unverified> {
        what.into_iter().map(|(author, number, spoilt)| block(author, number, spoilt)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn the_number_of_workers_changes_no_outcome(blocks in blocks(), workers in 2..=MOST_WORKERS) {
        let (mut alone, mut shared) = (intake(), intake());
        for part in blocks.chunks(MAX_INTAKE_BATCH / 2) {
            let plain = alone.evaluate(Batch(part.to_vec()), node(1), NOW).unwrap();
            let spread = Engine::new(workers).evaluate(&mut shared, Batch(part.to_vec()), node(1), NOW).unwrap();
            prop_assert_eq!(plain.outcomes, spread.outcomes);
        }
    }

    #[test]
    fn runs_come_back_whole_and_in_order(
        count in 0..300_usize, workers in 1..=MOST_WORKERS, least in 1..40_usize,
    ) {
        let (mut all, mut runs) = (Vec::new(), 0);
        let crew = Crew::new(workers - 1);
        call::share(&crew, (0..count).collect(), (workers, least), |run: Vec<usize>| run, |run| {
            runs += 1;
            all.extend(run);
            Vec::new()
        });
        prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
        prop_assert!(runs <= count.div_ceil(least));
    }
}

fn nothing_more<T, R>(_: R) -> Vec<T> {
    Vec::new()
}

#[test]
fn what_comes_of_a_run_is_done_behind_what_is_left() {
    for workers in 1..=MOST_WORKERS {
        let (crew, mut all) = (Crew::new(workers - 1), Vec::<usize>::new());
        for _ in 0..50 {
            all.clear();
            call::share(
                &crew,
                vec![3_usize, 0, 2],
                (workers, 1),
                |run: Vec<usize>| run,
                |run| {
                    all.extend(&run);
                    // Each brings as many as it says, each of which brings one less.
                    run.into_iter().flat_map(|count| vec![count.saturating_sub(1); count]).collect()
                },
            );
            assert_eq!(all, [3, 0, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], "{workers} workers");
        }
    }
}

/// Work for two, of which each has one run before the other can go on, done by `each`.
fn met(crew: &Crew, each: impl Fn(bool) + Send + Sync + 'static) {
    let (mine, both, waited) = (thread::current().id(), Barrier::new(2), AtomicBool::new(false));
    let work = move |run: Vec<usize>| {
        let is_mine = thread::current().id() == mine;
        // This thread's first run lasts until the other has one.
        if !is_mine || !waited.swap(true, Ordering::Relaxed) {
            both.wait();
        }
        each(is_mine);
        run
    };
    call::share(crew, (0..400).collect(), (2, 200), work, nothing_more);
}

#[test]
fn a_panic_of_a_helper_is_one_of_the_call_and_the_helper_stays() {
    let crew = Crew::new(1);
    let panic = catch_unwind(AssertUnwindSafe(|| met(&crew, |mine| assert!(mine, "a helper fails")))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a helper fails"));
    met(&crew, drop);
}

#[test]
fn a_panic_of_the_caller_waits_for_its_helper() {
    let (crew, held) = (Crew::new(1), Arc::new(()));
    let work = {
        let held = Arc::clone(&held);
        move |mine: bool| assert!(!mine && Arc::strong_count(&held) > 1, "the caller fails")
    };
    assert!(catch_unwind(AssertUnwindSafe(|| met(&crew, work))).is_err());
    assert_eq!(Arc::strong_count(&held), 1);
    met(&crew, drop);
}

#[test]
fn nobody_holds_anything_of_a_call_that_is_over() {
    let (crew, held) = (Crew::new(3), Arc::new(()));
    for _ in 0..500 {
        let work = {
            let held = Arc::clone(&held);
            move |run: Vec<usize>| (run, Arc::strong_count(&held)).0
        };
        call::share(&crew, (0..40).collect(), (4, 1), work, nothing_more);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}

/// Keeps helpers from everything else, from when they have come to when they are let go.
struct Busy {
    came: Barrier,
    end: Barrier,
}

impl crew::Post for Busy {
    fn help(&self) {
        self.came.wait();
        self.end.wait();
    }
}

/// What stands on the board each time that something was done, and when the call is over, while nobody comes to help:
/// of a call for four whose pieces each bring as many as they say.
fn posted(pieces: Vec<usize>) -> (Vec<usize>, usize) {
    let (crew, helpers) = (Crew::new(MOST_WORKERS - 1), MOST_WORKERS - 1);
    let busy = Arc::new(Busy { came: Barrier::new(helpers + 1), end: Barrier::new(helpers + 1) });
    crew.post(&(Arc::clone(&busy) as Arc<dyn crew::Post>), helpers);
    busy.came.wait();
    let mut seen = Vec::new();
    call::share(
        &crew,
        pieces,
        (MOST_WORKERS, 1),
        |run: Vec<usize>| run,
        |run| {
            seen.push(crew.posted());
            run.into_iter().flat_map(|count| vec![0; count]).collect()
        },
    );
    let left = crew.posted();
    busy.end.wait();
    (seen, left)
}

#[test]
fn a_call_asks_for_no_more_helpers_than_it_has_workers_however_often_work_comes_of_its_work() {
    let (seen, left) = posted(vec![20; 60]);
    assert_eq!(seen.iter().max(), Some(&(MOST_WORKERS - 1)), "the other places are for other calls");
    assert_eq!(left, 0, "nobody comes for a call that is over");
}

#[test]
fn nobody_is_waked_who_would_find_nothing_to_do() {
    assert_eq!(posted(vec![0]).0, [0], "the caller takes the only piece");
    assert_eq!(posted(vec![0, 0]).0, [1, 1]);
    // One frame, as a batch of many records is: who reads them beside the caller is asked when they were found.
    assert_eq!(posted(vec![2]).0, [0, 1, 1]);
    assert_eq!(posted(vec![5]).0, [0, 3, 3, 3, 3, 3]);
}

#[test]
fn calls_of_several_threads_share_a_crew() {
    let crew = Crew::new(2);
    thread::scope(|scope| {
        for first in 0..8_usize {
            let crew = &crew;
            scope.spawn(move || {
                for _ in 0..50 {
                    let mut all = Vec::new();
                    call::share(
                        crew,
                        (first..first + 90).collect(),
                        (3, 2),
                        |run| run,
                        |run: Vec<usize>| {
                            all.extend(run);
                            Vec::new()
                        },
                    );
                    assert_eq!(all, (first..first + 90).collect::<Vec<_>>());
                }
            });
        }
    });
}

#[test]
fn helpers_end_with_their_crew() {
    let crew = Crew::new(2);
    met(&crew, drop);
    let threads = crew.watch();
    assert!(threads.upgrade().is_some());
    drop(crew);
    assert!(threads.upgrade().is_none(), "every helper has let go of what they share");
}

#[test]
fn a_call_that_panics_takes_back_what_it_judged() {
    let blocks: Vec<_> = (0..256).map(|number| block(1, number, false)).collect();
    let (mut intake, engine, both) = (intake(), Engine::new(2), Barrier::new(2));
    let (checker, caller) = (intake.checker(), thread::current().id());
    let (waited, failed) = (AtomicBool::new(false), AtomicBool::new(false));
    let check = move |run: Vec<Unchecked>| {
        // The first run is the longest, and is judged: a later one fails, while this thread is in its own first. Only one
        // does: before this thread has heard of it, the helper may take the next.
        if thread::current().id() != caller && run.len() < 64 && !failed.swap(true, Ordering::Relaxed) {
            both.wait();
            panic!("a check fails");
        }
        if thread::current().id() == caller && !waited.swap(true, Ordering::Relaxed) {
            both.wait();
        }
        checker.check(run)
    };
    let call = || engine.evaluate_by(&mut intake, Batch(blocks.clone()), (node(1), NOW), check);
    let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a check fails"));
    assert_eq!(intake.anchors().count(), 0);
    let again = engine.evaluate(&mut intake, Batch(blocks.clone()), node(1), NOW).unwrap();
    let anew = super::tests::intake().evaluate(Batch(blocks), node(1), NOW).unwrap();
    assert_eq!(again.outcomes, anew.outcomes);
}

#[test]
fn a_call_that_panics_takes_back_what_it_judged_of_hearsay() {
    let hearsay = |number: usize| {
        let mut draft = Draft::new(node(1), "somebody", NOW, "den").unwrap();
        draft.say(Category::Focus, &format!("thing {number}")).unwrap();
        signature::attribute(draft).unwrap()
    };
    let (mut intake, heard) = (intake(), (0..8).map(hearsay).collect::<Vec<_>>());
    let fails = heard.clone().into_iter().enumerate().map(|(place, hearsay)| {
        assert!(place < 5, "it fails in the middle");
        hearsay
    });
    let call = || Engine::evaluate_hearsay(&mut intake, fails, node(1), NOW);
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    assert_eq!(intake.anchors().count(), 0);
    let again = Engine::evaluate_hearsay(&mut intake, heard.clone().into_iter(), node(1), NOW).unwrap();
    let anew = super::tests::intake().evaluate_hearsay(heard, node(1), NOW).unwrap();
    assert_eq!(again.outcomes, anew.outcomes);
    assert!(again.outcomes[0].deliver(), "nobody has heard of it");
}

#[test]
fn a_batch_beyond_the_bound_is_refused_before_anything_is_checked() {
    let records = vec![block(1, 1, false); MAX_INTAKE_BATCH + 1];
    assert!(Engine::new(2).evaluate(&mut intake(), Batch(records), node(1), NOW).is_err());
}

#[test]
fn workers_have_their_bounds() {
    assert_eq!([0, 1, 3, 99].map(|asked| Engine::new(asked).workers()), [1, 1, 3, MOST_WORKERS]);
    assert!((1..=MOST_WORKERS).contains(&Engine::of_machine().workers()));
}

#[test]
fn what_is_signed_side_by_side_is_what_one_worker_signs() {
    let draft = |number: usize| {
        let mut draft = Draft::new(node(1), "author", NOW, "den").unwrap();
        // The largest texts there are, in two categories: one such draft of the middle is refused, in its place.
        let text = if number == 70 { "x".repeat(262_144) } else { format!("thing {number}") };
        for category in Category::ALL {
            draft.say(category, &text).unwrap();
        }
        draft
    };
    let drafts: Vec<Draft> = (0..150).map(draft).collect();
    let alone = Engine::new(1).sign(drafts.clone(), &key(1));
    assert_eq!(Engine::new(4).sign(drafts, &key(1)), alone);
    assert_eq!(alone.iter().filter(|signed| signed.is_err()).count(), 1);
    assert!(alone[70].is_err());
    assert!(Engine::new(4).sign(Vec::new(), &key(1)).is_empty());
}
