//! Work of one call on several cores: runs of items from one queue, whose results come back in the order of the items.
//!
//! Rules: nobody waits while there is work to take. Who asked is a worker like the others, and takes what is done in
//! order as soon as it is there, before it works on. Runs get shorter towards the end, so that all end together.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::vec;

/// What is left to do, cut into runs.
struct Queue<T> {
    left: Mutex<(usize, vec::IntoIter<T>)>,
    workers: usize,
    least: usize,
}

impl<T> Queue<T> {
    /// Take the next run: its place among all runs, and its items.
    fn next(&self) -> Option<(usize, Vec<T>)> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, items) = &mut *left;
        // Half of everybody's share of what is left: long while there is much, short where others would wait for it.
        let run = items.len().div_ceil(2 * self.workers).max(self.least).min(items.len());
        let run: Vec<T> = items.by_ref().take(run).collect();
        (!run.is_empty()).then(|| {
            *place += 1;
            (*place - 1, run)
        })
    }
}

/// Do `work` on runs of at least `least` items with so many workers; give `take` what came of them, in the order of the
/// items.
pub fn share<T: Send, R: Send>(
    items: Vec<T>,
    workers: usize,
    least: usize,
    work: impl Fn(Vec<T>) -> R + Sync,
    mut take: impl FnMut(R),
) {
    let queue = Queue { left: Mutex::new((0, items.into_iter())), workers, least };
    let (queue, work) = (&queue, &work);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 1..workers {
            let sender = sender.clone();
            let worker = move || {
                while let Some((place, run)) = queue.next() {
                    // Nobody listens any more only where the call itself panics.
                    if sender.send((place, work(run))).is_err() {
                        return;
                    }
                }
            };
            if thread::Builder::new().name("covey-crew".to_owned()).spawn_scoped(scope, worker).is_err() {
                // The machine has no thread left for it: those that are there do all of the work.
                break;
            }
        }
        drop(sender);
        let mut done = InOrder { next: 0, waiting: Vec::new() };
        loop {
            while let Ok((place, result)) = receiver.try_recv() {
                done.put(place, result);
            }
            if let Some(result) = done.take() {
                take(result);
            } else if let Some((place, run)) = queue.next() {
                done.put(place, work(run));
            } else if let Ok((place, result)) = receiver.recv() {
                done.put(place, result);
            } else {
                // Every worker is done, and all that came was taken; the scope passes on a panic of any of them.
                return;
            }
        }
    });
}

/// Results that came before their turn; few, since workers are.
struct InOrder<R> {
    next: usize,
    waiting: Vec<(usize, R)>,
}

impl<R> InOrder<R> {
    fn put(&mut self, place: usize, result: R) {
        self.waiting.push((place, result));
    }

    fn take(&mut self) -> Option<R> {
        let at = self.waiting.iter().position(|(place, _)| *place == self.next)?;
        self.next += 1;
        Some(self.waiting.swap_remove(at).1)
    }
}
