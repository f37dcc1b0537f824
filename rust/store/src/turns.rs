//! What one thread has at a time, where some of those who want it give way to the others.
//!
//! Rules: whoever takes it behind the others gets it only when none of them waits, also where he had it last: a lock
//! by itself goes to the thread that runs, which is the one that just gave it back.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

/// A thing that one thread has at a time.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    thing: Mutex<T>,
    /// Who waits and gives way to nobody.
    waiting: AtomicUsize,
    /// Who gives way, and is told when a turn is over.
    behind: AtomicUsize,
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
            over: Condvar::new(),
        }
    }

    /// Waits for it.
    pub(crate) fn take(&self) -> Turn<'_, T> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let guard = hold(self.thing.lock());
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        Turn { of: self, guard: Some(guard) }
    }

    /// Waits for it until nobody else does.
    pub(crate) fn take_behind(&self) -> Turn<'_, T> {
        let mut guard = hold(self.thing.lock());
        while self.waiting.load(Ordering::SeqCst) > 0 {
            // Whoever waits gets it now, sees this number when he has done, and tells.
            self.behind.fetch_add(1, Ordering::SeqCst);
            guard = hold(self.over.wait(guard));
            self.behind.fetch_sub(1, Ordering::SeqCst);
        }
        Turn { of: self, guard: Some(guard) }
    }

    /// Counts who waits and gives way to nobody.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Takes it if nobody has it.
    pub(crate) fn try_take(&self) -> Option<Turn<'_, T>> {
        let guard = match self.thing.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Turn { of: self, guard: Some(guard) })
    }
}

/// A panic under a lock leaves no half-done change: its transaction was rolled back when it was dropped.
fn hold<G>(locked: Result<G, PoisonError<G>>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        drop(self.guard.take());
        if self.of.behind.load(Ordering::SeqCst) > 0 {
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
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn who_gives_way_has_it_after_everybody_who_waits() {
        let turns = Turns::new(Vec::new());
        std::thread::scope(|scope| {
            let (first, begun) = (turns.take(), mpsc::channel());
            for number in 0..3 {
                let (turns, begun) = (&turns, begun.0.clone());
                scope.spawn(move || {
                    begun.send(()).unwrap();
                    turns.take().push(number);
                });
            }
            for _ in 0..3 {
                begun.1.recv().unwrap();
            }
            while turns.waiting() < 3 {
                std::thread::yield_now();
            }
            drop(first);
            turns.take_behind().push(9);
        });
        let order = turns.take();
        assert_eq!((order.len(), order.last()), (4, Some(&9)), "{order:?}");
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
