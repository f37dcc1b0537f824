//! The thread of a writer: takes what waits, has it written, and tends the index between.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::error::StoreError;

use super::pace::{Next, Pace, Paces};
use super::{Answer, Bounds, Deed, Desk, Did, Failure, Job, Part, Shared, Stage};

/// What a writer's thread has.
pub(super) struct Hand<J: Job, D: Desk<J>> {
    shared: Arc<Shared<J>>,
    desk: D,
    group_rows: usize,
    pace: Pace,
    began: Instant,
    /// Taken from the queue, and not answered yet.
    under_way: Vec<J>,
    /// Of the first of these, where each had its own try.
    outcomes: Vec<Outcome<J>>,
    /// When the log was begun to be copied the last time that this was kept.
    copied: Option<Instant>,
}

type Outcome<J> = Result<<J as Job>::Done, (String, String)>;

/// What the thread does next.
enum Turn {
    Write,
    Tend(Next),
    End,
}

/// Nothing more can be written.
struct Broken(String);

impl<J: Job, D: Desk<J>> Hand<J, D> {
    pub(super) fn new(shared: Arc<Shared<J>>, desk: D, bounds: Bounds, paces: Paces) -> Self {
        Self {
            shared,
            desk,
            group_rows: bounds.group_rows,
            pace: Pace::new(paces),
            began: Instant::now(),
            under_way: Vec::new(),
            outcomes: Vec::new(),
            copied: None,
        }
    }

    /// Works until the writer is closed. Where it ends by itself, whoever waits hears of it: else all would wait for ever.
    pub(super) fn run(mut self) {
        self.until_closed();
        self.shared.lock().stage = Stage::Ended;
        self.shared.gone.notify_all();
    }

    fn until_closed(&mut self) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.work()));
        let broken = match ended {
            Ok(Ok(())) => return,
            Ok(Err(Broken(why))) => why,
            Err(panic) => format!("panic: {}", words(panic.as_ref())),
        };
        // Who is rung may panic, too; the answers are there for whoever looks.
        let _told = catch_unwind(AssertUnwindSafe(|| self.give_up(&broken)));
    }

    fn work(&mut self) -> Result<(), Broken> {
        loop {
            match self.next() {
                Turn::End => return Ok(()),
                Turn::Tend(next) => self.tend(next),
                Turn::Write => {
                    let began = Instant::now();
                    self.pace.begins(began - self.began);
                    let rows = self.perform()?;
                    self.pace.wrote(rows, self.began.elapsed());
                    self.keep(Did::Write, began);
                    self.note(Part::Log, self.desk.log_trouble());
                    self.follow(rows);
                }
            }
        }
    }

    /// Waits until there is something to do; takes the jobs that share a transaction.
    fn next(&mut self) -> Turn {
        let mut queue = self.shared.lock();
        loop {
            if let Some(first) = queue.jobs.pop_front() {
                let mut rows = first.rows();
                self.under_way.push(first);
                while let Some(job) = queue.jobs.front().filter(|job| job.joins(&self.under_way[0])) {
                    rows += job.rows();
                    if rows > self.group_rows {
                        break;
                    }
                    self.under_way.extend(queue.jobs.pop_front());
                }
                return Turn::Write;
            }
            if !queue.is_open() {
                return Turn::End;
            }
            let patience = match self.pace.next(self.began.elapsed()) {
                Next::Wait(patience) => patience,
                next => return Turn::Tend(next),
            };
            queue.waits = true;
            queue = match patience {
                None => self.shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    self.shared.changed.wait_timeout(queue, patience).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            queue.waits = false;
        }
    }

    /// Writes what was taken, and answers; returns its rows.
    fn perform(&mut self) -> Result<u64, Broken> {
        let rows: usize = self.under_way.iter().map(Job::rows).sum();
        let alone = self.under_way.len() == 1;
        self.shared.lock().transactions += 1;
        match self.write(0..self.under_way.len())? {
            Ok(()) => (),
            Err(refused) if alone => self.outcomes.push(Err(refused)),
            // One bad job must not take its neighbours with it: each has its own try.
            Err(_) => {
                self.shared.lock().transactions += self.under_way.len() as u64;
                for place in 0..self.under_way.len() {
                    if let Err(refused) = self.write(place..place + 1)? {
                        self.outcomes.push(Err(refused));
                    }
                }
            }
        }
        self.answer();
        Ok(rows as u64)
    }

    /// Writes these of what was taken in one transaction, and keeps what they came to.
    fn write(&mut self, places: Range<usize>) -> Result<Result<(), (String, String)>, Broken> {
        let group = &self.under_way[places];
        match self.desk.write(group) {
            Ok(done) if done.len() != group.len() => {
                Err(Broken(format!("{} jobs written have {} outcomes", group.len(), done.len())))
            }
            Ok(done) => {
                self.outcomes.extend(done.into_iter().map(Ok));
                Ok(Ok(()))
            }
            Err(Failure::Refused { reason, detail }) => Ok(Err((reason, detail))),
            Err(Failure::Broken(why)) => Err(Broken(why)),
        }
    }

    /// Answers what was taken, each with its outcome.
    fn answer(&mut self) {
        let rows: usize = self.under_way.iter().map(Job::rows).sum();
        let told = self.under_way.drain(..).zip(self.outcomes.drain(..)).map(|(job, outcome)| Answer { job, outcome });
        let mut queue = self.shared.lock();
        queue.answers.extend(told);
        queue.waiting_rows -= rows;
        let rung = std::mem::replace(&mut queue.rung, true);
        drop(queue);
        if !rung {
            self.ring();
        }
    }

    /// Has somebody come. Where nobody does, whoever can be told of the next answers takes these, too.
    fn ring(&self) {
        if !self.desk.ring() {
            self.shared.lock().rung = false;
        }
    }

    /// Takes nothing more, and tells whoever waits.
    fn give_up(&mut self, why: &str) {
        let mut queue = self.shared.lock();
        queue.close();
        queue.troubles[Part::Writer as usize] = Some(why.to_owned());
        queue.complaints.push((Part::Writer, why.to_owned()));
        let left = std::mem::take(&mut queue.jobs);
        drop(queue);
        self.under_way.extend(left);
        // What was made durable before is: who hears that it failed would say it again.
        for _ in self.outcomes.len()..self.under_way.len() {
            self.outcomes.push(Err(("store_closed".to_owned(), why.to_owned())));
        }
        self.answer();
    }

    /// Indexes as much as came, where the index is too far behind already.
    fn follow(&mut self, rows: u64) {
        let mut left = rows;
        while let Some(most) = self.pace.owes(left) {
            self.index(most, false);
            left = left.saturating_sub(most);
        }
    }

    /// Indexes rows, or merges pieces: nothing else is to be written at this moment.
    fn tend(&mut self, next: Next) {
        match next {
            Next::Index(most) => self.index(most, self.pace.gives_way()),
            Next::Merge => {
                let began = Instant::now();
                let merged = self.desk.merge();
                self.keep(Did::Merge, began);
                self.pace.merged(*merged.as_ref().unwrap_or(&false));
                self.note(Part::Merge, merged.err().as_ref().map(said));
            }
            Next::Wait(_) => (),
        }
    }

    /// Indexes so many rows at most; where it gives way, fewer as soon as a job waits.
    fn index(&mut self, most: u64, gives_way: bool) {
        let began = Instant::now();
        let wanted = || !self.shared.lock().jobs.is_empty();
        let left = self.desk.index(most, gives_way.then_some(&wanted));
        self.keep(Did::Index, began);
        self.pace.indexed(left.as_ref().ok().copied());
        self.note(Part::Index, left.err().as_ref().map(said));
    }

    /// Keeps what was done, where somebody watches.
    fn keep(&mut self, did: Did, began: Instant) {
        let deeds = &self.shared.deeds;
        if !deeds.watched() {
            return;
        }
        let disk = if did == Did::Write { self.desk.synced() } else { Duration::ZERO };
        deeds.keep(Deed { did, began, ended: Instant::now(), disk });
        if let Some((began, ended)) = self.desk.log_copied()
            && self.copied.replace(began) != Some(began)
        {
            deeds.keep(Deed { did: Did::Copy, began, ended, disk: Duration::ZERO });
        }
    }

    /// Keeps what fails beside the jobs, and tells of it when it begins or changes.
    fn note(&self, part: Part, trouble: Option<String>) {
        let mut queue = self.shared.lock();
        let kept = &mut queue.troubles[part as usize];
        if *kept == trouble {
            return;
        }
        kept.clone_from(&trouble);
        let Some(why) = trouble else { return };
        queue.complaints.push((part, why));
        let rung = std::mem::replace(&mut queue.rung, true);
        drop(queue);
        if !rung {
            self.ring();
        }
    }
}

/// Returns why the store could not.
fn said(error: &StoreError) -> String {
    format!("{}: {error}", error.reason.as_str())
}

/// Returns what a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let said = panic.downcast_ref::<&str>().copied();
    said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of an unknown kind")
}
