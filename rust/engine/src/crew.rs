//! Threads that stay: they sleep until a call has something for them, and end with the engine.
//!
//! Rules: a call never waits for a thread to come, since it does all that nobody took. So nothing hangs on how many there
//! are: none where the machine gives none, none in a process that was forked from theirs. What waits is bounded.

use std::collections::VecDeque;
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Calls that may wait for a helper: more are made at once only by more threads than cores, which have no need of any.
const MOST_POSTS: usize = 16;

/// A call that could do with help.
pub trait Post: Send + Sync {
    /// Work on it until nothing is left to take. It never panics.
    fn help(&self);
}

#[derive(Default)]
struct Board {
    posts: VecDeque<Arc<dyn Post>>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    board: Mutex<Board>,
    called: Condvar,
}

/// At most so many helpers, started with the first call that has work for them.
pub struct Crew {
    shared: Arc<Shared>,
    helpers: Mutex<Option<Vec<JoinHandle<()>>>>,
    most: usize,
    /// Where the helpers live. A forked process has their locks as they happened to be, and none of them.
    process: u32,
}

impl Crew {
    /// A crew of at most so many helpers; none of them is started yet.
    pub fn new(most: usize) -> Self {
        Self { shared: Arc::default(), helpers: Mutex::new(None), most, process: process::id() }
    }

    /// Ask so many helpers to look at a call; return how many were asked. Each looks once, unless it is withdrawn.
    pub fn post(&self, post: &Arc<dyn Post>, helpers: usize) -> usize {
        if helpers == 0 || self.most == 0 || self.process != process::id() {
            return 0;
        }
        self.start();
        let mut board = self.shared.lock();
        let asked = helpers.min(self.most).min(MOST_POSTS - board.posts.len());
        for _ in 0..asked {
            board.posts.push_back(Arc::clone(post));
            self.shared.called.notify_one();
        }
        asked
    }

    /// Take a call that is over off the board: its places are others', and nobody need come for it.
    pub fn withdraw(&self, post: &Arc<dyn Post>) {
        self.shared.lock().posts.retain(|posted| !Arc::ptr_eq(posted, post));
    }

    /// How many places of the board are taken.
    #[cfg(test)]
    pub fn posted(&self) -> usize {
        self.shared.lock().posts.len()
    }

    /// What every helper holds as long as it lives.
    #[cfg(test)]
    pub fn watch(&self) -> std::sync::Weak<impl Sized + use<>> {
        Arc::downgrade(&self.shared)
    }

    fn start(&self) {
        let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
        helpers.get_or_insert_with(|| {
            let start = |_| {
                let shared = Arc::clone(&self.shared);
                thread::Builder::new().name("covey-crew".to_owned()).spawn(move || shared.help_whoever_calls())
            };
            // Where the machine has no thread left, the callers do all of the work.
            (0..self.most).map_while(|place| start(place).ok()).collect()
        });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn help_whoever_calls(&self) {
        let mut board = self.lock();
        while !board.closed {
            if let Some(post) = board.posts.pop_front() {
                drop(board);
                post.help();
                drop(post);
                board = self.lock();
            } else {
                board = self.called.wait(board).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        if self.process != process::id() {
            return;
        }
        self.shared.lock().closed = true;
        self.shared.called.notify_all();
        let helpers = self.helpers.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        for helper in helpers.into_iter().flatten() {
            // A helper passes a panic of the work on to who asked for it; it has none of its own to hand over.
            helper.join().unwrap_or_default();
        }
    }
}
