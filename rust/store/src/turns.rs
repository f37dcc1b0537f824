//! What one thread has at a time, where some of those who want it give way to the others.
//!
//! Rules: whoever takes it behind the others gets it when none of them waits, also where he had it last: a lock by itself
//! goes to the thread that runs, which is the one that just gave it back. Where somebody always waits, he gives way so
//! many times, and then takes his turn.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::limits::GIVE_WAY_TURNS;

/// A thing that one thread has at a time.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    thing: Mutex<T>,
    /// Who waits and gives way to nobody.
    waiting: AtomicUsize,
    /// Who gives way, and is told when a turn is over.
    behind: AtomicUsize,
    /// How many turns somebody gave way to. Changed only by whoever has the thing.
    given: AtomicUsize,
    /// Who had come to his turn, and lets the one go first who gave way too often.
    held_back: AtomicUsize,
    over: Condvar,
}

/// The thing, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a, T> {
    of: &'a Turns<T>,
    /// None while it is dropped only.
    guard: Option<MutexGuard<'a, T>>,
}

impl<T> Turns<T> {
    pub(crate) fn new(thing: T) -> Self {
        Self {
            thing: Mutex::new(thing),
            waiting: AtomicUsize::new(0),
            behind: AtomicUsize::new(0),
            given: AtomicUsize::new(0),
            held_back: AtomicUsize::new(0),
            over: Condvar::new(),
        }
    }

    /// Waits for it.
    pub(crate) fn take(&self) -> Turn<'_, T> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut guard = hold(self.thing.lock());
        while self.is_overdue() {
            self.held_back.fetch_add(1, Ordering::SeqCst);
            guard = hold(self.over.wait(guard));
            self.held_back.fetch_sub(1, Ordering::SeqCst);
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        Turn { of: self, guard: Some(guard) }
    }

    /// Waits for it until nobody else does, or enough of them have had it.
    pub(crate) fn take_behind(&self) -> Turn<'_, T> {
        self.behind.fetch_add(1, Ordering::SeqCst);
        let mut guard = hold(self.thing.lock());
        while self.waiting.load(Ordering::SeqCst) > 0 && self.given.load(Ordering::SeqCst) < GIVE_WAY_TURNS {
            // Whoever waits gets it now, sees that somebody is behind when he has done, and tells.
            guard = hold(self.over.wait(guard));
        }
        self.behind.fetch_sub(1, Ordering::SeqCst);
        self.given.store(0, Ordering::SeqCst);
        Turn { of: self, guard: Some(guard) }
    }

    /// Says whether somebody gave way too often to wait any longer.
    fn is_overdue(&self) -> bool {
        self.behind.load(Ordering::SeqCst) > 0 && self.given.load(Ordering::SeqCst) >= GIVE_WAY_TURNS
    }

    /// Counts who waits and gives way to nobody.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Takes it if nobody has it, and nobody waited too long for it.
    pub(crate) fn try_take(&self) -> Option<Turn<'_, T>> {
        let guard = match self.thing.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if self.is_overdue() {
            return None;
        }
        Some(Turn { of: self, guard: Some(guard) })
    }
}

/// A panic under a lock leaves no half-done change: its transaction was rolled back when it was dropped.
fn hold<G>(locked: Result<G, PoisonError<G>>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        if self.of.behind.load(Ordering::SeqCst) > 0 {
            self.of.given.fetch_add(1, Ordering::SeqCst);
        }
        drop(self.guard.take());
        if self.of.behind.load(Ordering::SeqCst) > 0 || self.of.held_back.load(Ordering::SeqCst) > 0 {
            self.of.over.notify_all();
        }
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_deref().expect("it is there until it is dropped")
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_deref_mut().expect("it is there until it is dropped")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    use super::*;

    const FOR_EVER: usize = 20_000;

    #[test]
    fn who_gives_way_has_it_after_everybody_who_waits() {
        let turns = Turns::new(Vec::new());
        std::thread::scope(|scope| {
            let (first, begun) = (turns.take(), mpsc::channel());
            for number in 0..GIVE_WAY_TURNS {
                let (turns, begun) = (&turns, begun.0.clone());
                scope.spawn(move || {
                    begun.send(()).unwrap();
                    turns.take().push(number);
                });
            }
            for _ in 0..GIVE_WAY_TURNS {
                begun.1.recv().unwrap();
            }
            while turns.waiting() < GIVE_WAY_TURNS {
                std::thread::yield_now();
            }
            drop(first);
            turns.take_behind().push(FOR_EVER);
        });
        let order = turns.take();
        assert_eq!((order.len(), order.last()), (GIVE_WAY_TURNS + 1, Some(&FOR_EVER)), "{order:?}");
    }

    #[test]
    fn who_gives_way_has_its_turn_where_somebody_always_waits() {
        let (turns, had) = (Turns::new(0), AtomicBool::new(false));
        let others = || {
            while !had.load(Ordering::SeqCst) {
                let mut turn = turns.take();
                *turn += usize::from(turns.behind.load(Ordering::SeqCst) > 0);
                let over = || had.load(Ordering::SeqCst) || *turn >= FOR_EVER;
                // The other one waits before this one gives it back.
                while turns.waiting() == 0 && !over() {
                    std::thread::yield_now();
                }
                if *turn >= FOR_EVER {
                    return;
                }
            }
        };
        let counted = std::thread::scope(|scope| {
            scope.spawn(others);
            scope.spawn(others);
            while turns.waiting() == 0 {
                std::thread::yield_now();
            }
            let counted = *turns.take_behind();
            had.store(true, Ordering::SeqCst);
            counted
        });
        assert!(counted < FOR_EVER, "it came to its turn when the others had done");
    }

    #[test]
    fn who_gives_way_waits_for_nobody_where_nobody_waits() {
        let turns = Turns::new(0);
        *turns.take_behind() += 1;
        *turns.try_take().expect("nobody has it") += 1;
        let taken = turns.take();
        assert!(turns.try_take().is_none());
        assert_eq!(*taken, 2);
    }
}
