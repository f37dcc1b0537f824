//! What a writer did, and when: for whoever looks for the time that blocks lost. Nothing is kept where nobody watches.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// Jobs of one group were written, and answered.
    Write,
    /// Rows were added to the index of full text.
    Index,
    /// Pages of that index were merged.
    Merge,
    /// The log was copied back, beside all this.
    Copy,
}

impl Did {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Index => "index",
            Self::Merge => "merge",
            Self::Copy => "copy",
        }
    }
}

/// One thing that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deed {
    /// What.
    pub did: Did,
    /// When it began.
    pub began: Instant,
    /// When it was done.
    pub ended: Instant,
    /// How long of that the disk was waited for.
    pub disk: Duration,
}

/// What is kept of them: the first so many since somebody watches.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    watched: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    room: usize,
    deeds: Vec<Deed>,
}

impl Deeds {
    /// Keeps the next `room` of them.
    pub(super) fn watch(&self, room: usize) {
        *self.lock() = Kept { room, deeds: Vec::new() };
        self.watched.store(room > 0, Ordering::Relaxed);
    }

    pub(super) fn watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    pub(super) fn keep(&self, deed: Deed) {
        let mut kept = self.lock();
        if kept.deeds.len() < kept.room {
            kept.deeds.push(deed);
        }
    }

    /// Returns what is kept.
    pub(super) fn kept(&self) -> Vec<Deed> {
        self.lock().deeds.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
