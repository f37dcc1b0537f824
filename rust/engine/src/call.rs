//! One call's work, done by whoever comes: runs of items from one queue, whose results come back in the order of the items.
//! What came of a run may bring items of its own, which stand behind those that are left.
//!
//! Rules: nobody waits while there is work to take. Who asked is a worker like the others, and takes what is done in
//! order as soon as it is there, before it works on. Runs get shorter towards the end, so that all end together. Once
//! the call is over nobody holds anything of it: what the work borrowed by counting is the caller's alone again.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::crew::{Crew, Post};

/// What is done with each run.
type Work<T, R> = dyn Fn(Vec<T>) -> R + Send + Sync;

/// What is left to do, and what was done.
struct State<T, R> {
    left: VecDeque<T>,
    /// Runs that were taken.
    taken: usize,
    /// Results that came before their turn; few, since workers are.
    done: Vec<(usize, thread::Result<R>)>,
    /// Helpers that are at work.
    helping: usize,
    /// Helpers that were asked and have not come yet.
    asked: usize,
    /// None once the call is over: who comes then has nothing to do.
    work: Option<Arc<Work<T, R>>>,
}

struct Call<T, R> {
    state: Mutex<State<T, R>>,
    /// A helper has put down what it did.
    changed: Condvar,
    workers: usize,
    least: usize,
}

/// Do `work` on runs of at least `least` items with so many workers of which the caller is one; give `take` what came of
/// them, in the order of the items. What `take` returns is to be done as well, behind what is left.
pub fn share<T, R>(
    crew: &Crew,
    items: Vec<T>,
    (workers, least): (usize, usize),
    work: impl Fn(Vec<T>) -> R + Send + Sync + 'static,
    mut take: impl FnMut(R) -> Vec<T>,
) where
    T: Send + 'static,
    R: Send + 'static,
{
    let work: Arc<Work<T, R>> = Arc::new(work);
    let state =
        State { left: items.into(), taken: 0, done: Vec::new(), helping: 0, asked: 0, work: Some(Arc::clone(&work)) };
    let call = Arc::new(Call { state: Mutex::new(state), changed: Condvar::new(), workers, least });
    let post = Arc::clone(&call) as Arc<dyn Post>;
    let over = Over { call: &call, crew, post: &post };
    let mut next = 0;
    let mut state = call.ask(crew, &post, call.lock());
    loop {
        if let Some(at) = state.done.iter().position(|(place, _)| *place == next) {
            let (_, result) = state.done.swap_remove(at);
            drop(state);
            let more = take(result.unwrap_or_else(|panic| resume_unwind(panic)));
            next += 1;
            state = call.lock();
            if !more.is_empty() {
                state.left.extend(more);
                // Those who found nothing left have gone.
                state = call.ask(crew, &post, state);
            }
        } else if let Some((place, run)) = call.next(&mut state) {
            drop(state);
            let result = work(run);
            state = call.lock();
            state.done.push((place, Ok(result)));
        } else if state.helping > 0 {
            state = call.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        } else {
            // Every run was taken, is done, and had its turn.
            break;
        }
    }
    drop(state);
    drop(over);
}

/// Ends a call, also one that panics: whoever helps comes to its end, and nobody begins.
struct Over<'c, T: Send + 'static, R: Send + 'static> {
    call: &'c Call<T, R>,
    crew: &'c Crew,
    post: &'c Arc<dyn Post>,
}

impl<T: Send, R: Send> Drop for Over<'_, T, R> {
    fn drop(&mut self) {
        let mut state = self.call.lock();
        state.work = None;
        state.left = VecDeque::new();
        if state.asked > 0 {
            drop(state);
            self.crew.withdraw(self.post);
            state = self.call.lock();
        }
        while state.helping > 0 {
            state = self.call.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T, R> Call<T, R> {
    fn lock(&self) -> MutexGuard<'_, State<T, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ask as many helpers to come as would find a run beside the caller's, and are not here or on their way.
    fn ask<'s>(
        &'s self,
        crew: &Crew,
        post: &Arc<dyn Post>,
        mut state: MutexGuard<'s, State<T, R>>,
    ) -> MutexGuard<'s, State<T, R>> {
        let away = self.workers.saturating_sub(1 + state.helping + state.asked);
        let wanted = state.left.len().div_ceil(self.least).saturating_sub(1 + state.asked).min(away);
        if wanted == 0 {
            return state;
        }
        // Counted before they are asked: one of them may come at once.
        state.asked += wanted;
        drop(state);
        let asked = crew.post(post, wanted);
        let mut state = self.lock();
        state.asked -= wanted - asked;
        state
    }

    /// Take the next run: its place among all runs, and its items.
    fn next(&self, state: &mut State<T, R>) -> Option<(usize, Vec<T>)> {
        // Half of everybody's share of what is left: long while there is much, short where others would wait for it.
        let left = state.left.len();
        let run = left.div_ceil(2 * self.workers).max(self.least).min(left);
        let run: Vec<T> = state.left.drain(..run).collect();
        (!run.is_empty()).then(|| {
            state.taken += 1;
            (state.taken - 1, run)
        })
    }
}

impl<T: Send, R: Send> Post for Call<T, R> {
    fn help(&self) {
        let mut state = self.lock();
        state.asked -= 1;
        while let Some(work) = state.work.clone()
            && let Some((place, run)) = self.next(&mut state)
        {
            state.helping += 1;
            drop(state);
            let result = catch_unwind(AssertUnwindSafe(|| work(run)));
            // Let go before anybody is told: the caller counts on being alone with what the work holds.
            drop(work);
            state = self.lock();
            state.helping -= 1;
            state.done.push((place, result));
            self.changed.notify_one();
        }
    }
}
