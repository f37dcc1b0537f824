//! Copies the log back into the file beside the commits, on a thread of its own: within a commit, every few hundredth
//! would wait until megabytes are on the disk, and all that come meanwhile wait behind it.
//!
//! Rules: nothing depends on it, since what stands in the log is durable and is read there. A thread begins when a commit
//! leaves the log long, and ends when it has caught up, so that the next commit writes over the log from its start, or
//! when commits were quicker every time. Should the log grow very long all the same, a commit copies what is left.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode};

use crate::error::Fault;
use crate::limits::{CHECKPOINT_MAX_PAGES, CHECKPOINT_PAGES, CHECKPOINT_ROUNDS, CHECKPOINT_STEP_PAGES};
use crate::open;

/// Keeps the log of one store short.
#[derive(Debug)]
pub(crate) struct Keeper {
    path: PathBuf,
    /// From how many pages in the log on a commit wakes a thread.
    due: AtomicI32,
    copying: AtomicBool,
    /// How many threads have done.
    copies: AtomicU64,
    stopped: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// A thread has done; told with `thread` locked since it was.
    done: Condvar,
    trouble: Mutex<Option<String>>,
    /// From when to when it was copied last.
    copied: Mutex<Option<(Instant, Instant)>>,
}

impl Keeper {
    pub(crate) fn of(path: &Path) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_path_buf(),
            due: AtomicI32::new(CHECKPOINT_PAGES),
            copying: AtomicBool::new(false),
            copies: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            thread: Mutex::new(None),
            done: Condvar::new(),
            trouble: Mutex::new(None),
            copied: Mutex::new(None),
        })
    }

    /// Has every commit of a connection tell how long the log is. In place of `SQLite`'s own checkpoints.
    pub(crate) fn watch(self: &Arc<Self>, writer: &mut Connection) -> Result<(), Fault> {
        let keeper = Arc::clone(self);
        let told = move |log: &mut Wal, pages: c_int| {
            keeper.committed(log, pages);
            Ok(()) // whatever became of the log, the commit stands
        };
        Ok(writer.wal_hook(Some(told))?)
    }

    /// Waits for a thread that copies, and lets none begin again.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wait();
    }

    /// Waits for the thread that copies, if one does. For who writes much and has time: else the log grows as fast as it is
    /// copied, and in the end a commit of somebody who has none copies what is left. Not for the next one too, which
    /// begins at once where others write without a pause.
    pub(crate) fn rest(&self) {
        let mut thread = hold(&self.thread);
        let copies = self.copies.load(Ordering::Acquire);
        while self.copying.load(Ordering::Acquire) && self.copies.load(Ordering::Acquire) == copies {
            thread = self.done.wait(thread).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns why the log could not be copied back when that was tried last.
    pub(crate) fn trouble(&self) -> Option<String> {
        hold(&self.trouble).clone()
    }

    /// Returns from when to when a thread copied it last.
    pub(crate) fn copied(&self) -> Option<(Instant, Instant)> {
        *hold(&self.copied)
    }

    /// Waits for a thread that copies.
    fn wait(&self) {
        let thread = hold(&self.thread).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            self.note(Some("its thread panicked".to_owned()));
        }
    }

    fn committed(self: &Arc<Self>, log: &mut Wal, pages: c_int) {
        let due = self.due.load(Ordering::Relaxed);
        if pages >= CHECKPOINT_MAX_PAGES && !self.copying.load(Ordering::Acquire) {
            self.judge(log.checkpoint());
        } else if pages < CHECKPOINT_PAGES {
            self.due.store(CHECKPOINT_PAGES, Ordering::Relaxed);
        } else if pages >= due && !self.stopped.load(Ordering::Acquire) && !self.copying.swap(true, Ordering::AcqRel) {
            self.due.store(pages.saturating_add(CHECKPOINT_STEP_PAGES), Ordering::Relaxed);
            self.begin();
        }
    }

    fn begin(self: &Arc<Self>) {
        self.wait(); // it has done what it had to do, or `copying` would be set
        let keeper = Arc::clone(self);
        let begun = Builder::new().name("covey-log".to_owned()).spawn(move || {
            // Also where it panics, which `wait` tells of: who rests must not rest for ever.
            let _done = Done(&keeper);
            let began = Instant::now();
            keeper.judge(keeper.copy());
            *hold(&keeper.copied) = Some((began, Instant::now()));
        });
        match begun {
            Ok(thread) => *hold(&self.thread) = Some(thread),
            Err(error) => {
                self.note(Some(error.to_string()));
                drop(Done(self));
            }
        }
    }

    fn copy(&self) -> rusqlite::Result<()> {
        let connection = open::connect(&self.path)?;
        for _ in 0..CHECKPOINT_ROUNDS {
            let (pages, copied): (i64, i64) =
                connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)))?;
            if copied >= pages || self.stopped.load(Ordering::Acquire) {
                break;
            }
        }
        Ok(())
    }

    fn judge(&self, copied: rusqlite::Result<()>) {
        match copied {
            // Somebody else copies at this moment, or reads what is in the way: the next commit asks again.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => (),
            Err(error) => self.note(Some(error.to_string())),
            Ok(()) => self.note(None),
        }
    }

    fn note(&self, trouble: Option<String>) {
        *hold(&self.trouble) = trouble;
    }
}

/// Says, when it is dropped, that nobody copies any more.
struct Done<'a>(&'a Keeper);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.copying.store(false, Ordering::Release);
        self.0.copies.fetch_add(1, Ordering::AcqRel);
        drop(hold(&self.0.thread));
        self.0.done.notify_all();
    }
}

/// A panic under one of these locks leaves nothing half done.
fn hold<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use covey_core::id::NodeId;

    use super::*;
    use crate::Store;
    use crate::limits::STATE_VALUE_MAX_BYTES;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("covey-log-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn open(&self) -> Store {
            Store::open(self.0.join("store.db"), NodeId::from_bytes([1; 16])).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    /// One commit of about a thousand pages, unlike those of the one before.
    fn much(store: &Store) {
        static COUNT: AtomicI32 = AtomicI32::new(0);
        let byte = COUNT.fetch_add(1, Ordering::Relaxed).to_le_bytes()[0];
        store.state_put_many(&[("much", &vec![byte; STATE_VALUE_MAX_BYTES])], &[]).unwrap();
    }

    fn little(store: &Store) {
        store.state_put_many(&[("little", b"x")], &[]).unwrap();
    }

    #[test]
    fn a_long_log_is_copied_back_beside_the_commits_and_begun_again() {
        let folder = Folder::new("long");
        let store = folder.open();
        while store.keeper.due.load(Ordering::Relaxed) == CHECKPOINT_PAGES {
            much(&store);
        }
        store.keeper.wait();
        assert_eq!(store.log_trouble(), None);
        let copied = store.stats().unwrap();
        assert!(copied.file_bytes > STATE_VALUE_MAX_BYTES as u64, "what was in the log stands in the file");
        much(&store);
        assert_eq!(store.stats().unwrap().log_bytes, copied.log_bytes, "the log is written over from its start");
        assert_eq!(store.keeper.due.load(Ordering::Relaxed), CHECKPOINT_PAGES);
        assert!(store.integrity().unwrap().is_empty());
    }

    #[test]
    fn who_has_time_waits_until_the_log_is_copied_and_leaves_it_short() {
        let folder = Folder::new("rest");
        let store = folder.open();
        for _ in 0..12 {
            store.keeper.rest();
            assert!(!store.keeper.copying.load(Ordering::Acquire));
            much(&store);
        }
        let bytes = store.stats().unwrap().log_bytes;
        assert!(bytes < (u64::from(CHECKPOINT_PAGES.unsigned_abs()) + 2_000) * 4_200, "{bytes}");
        store.keeper.rest();
        store.keeper.rest();
        assert_eq!(store.log_trouble(), None);
    }

    #[test]
    fn who_has_time_waits_for_one_copy_where_the_next_begins_at_once() {
        let folder = Folder::new("next");
        let keeper = Keeper::of(&folder.0.join("store.db"));
        keeper.copying.store(true, Ordering::Release);
        let (tell, told) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                keeper.rest();
                tell.send(()).unwrap();
            });
            let mut rested = false;
            for _ in 0..1_000 {
                let done = Done(&keeper);
                let next = hold(&keeper.thread); // so that nobody looks before the next has begun
                std::thread::scope(|scope| {
                    scope.spawn(|| drop(done));
                    while keeper.copying.load(Ordering::Acquire) {
                        std::thread::yield_now();
                    }
                    keeper.copying.store(true, Ordering::Release);
                    drop(next);
                });
                rested = told.recv_timeout(Duration::from_millis(10)).is_ok();
                if rested {
                    break;
                }
            }
            keeper.copying.store(false, Ordering::Release);
            keeper.done.notify_all();
            assert!(rested);
        });
    }

    #[test]
    fn what_somebody_still_reads_stays_in_the_log_until_he_has_done() {
        let folder = Folder::new("read");
        let store = folder.open();
        little(&store);
        let reader = open::connect(&store.keeper.path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM records").unwrap();
        for _ in 0..6 {
            much(&store);
            store.keeper.wait();
        }
        let long = store.stats().unwrap();
        assert!(long.file_bytes < STATE_VALUE_MAX_BYTES as u64, "nothing of it could be copied");
        assert!(long.log_bytes > 6 * STATE_VALUE_MAX_BYTES as u64);
        reader.execute_batch("ROLLBACK").unwrap();
        much(&store);
        store.keeper.wait();
        let before = store.stats().unwrap().log_bytes;
        little(&store);
        assert_eq!(store.stats().unwrap().log_bytes, before);
        assert_eq!(store.log_trouble(), None);
    }

    #[test]
    fn a_log_that_grew_very_long_all_the_same_is_copied_by_a_commit() {
        let folder = Folder::new("very");
        let store = folder.open();
        store.keeper.stop(); // as if each thread came too late
        for _ in 0..12 {
            much(&store);
        }
        let bytes = store.stats().unwrap();
        assert!(bytes.log_bytes < (u64::from(CHECKPOINT_MAX_PAGES.unsigned_abs()) + 2_000) * 4_200);
        assert!(bytes.file_bytes > STATE_VALUE_MAX_BYTES as u64);
        assert_eq!(store.log_trouble(), None);
    }

    #[test]
    fn a_log_that_cannot_be_copied_is_told_of_and_stops_no_commit() {
        let folder = Folder::new("trouble");
        let store = folder.open();
        let lost = Keeper::of(&folder.0.join("no such folder").join("store.db"));
        lost.watch(store.writer().as_mut().unwrap()).unwrap();
        for _ in 0..5 {
            much(&store);
            lost.wait();
        }
        assert!(lost.trouble().unwrap().contains("unable to open"), "{:?}", lost.trouble());
        assert_eq!(store.state_get("much").unwrap().unwrap().len(), STATE_VALUE_MAX_BYTES);
    }
}
