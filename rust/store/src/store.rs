//! The store of one peer: one writing connection, one reading connection, one lock.
//!
//! Rules: every change is one transaction that is durable when the call returns (WAL, `synchronous=FULL`), but for what
//! can be made or done again; an error means that nothing of the call was kept. Readers never wait for the writer, and
//! what has time (`_behind`) comes after whoever waits: who comes while it is at work waits for a slice of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use covey_core::id::NodeId;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::checkpoint::Keeper;
use crate::error::{Fault, StoreError, StoreReason};
use crate::open;
use crate::turns::{Turn, Turns};

/// The durable memory of one peer. Shared between threads by reference.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    node_id: NodeId,
    // Dropped in this order: the writer closes last of the two and copies the log back, then the lock goes.
    reader: Turns<Option<Connection>>,
    writer: Turns<Option<Connection>>,
    lock: Mutex<Option<File>>,
    pub(crate) keeper: Arc<Keeper>,
    /// The newest record when an intake was filled from here: what comes later it hears by itself.
    pub(crate) loaded: AtomicI64,
    /// The newest record when a slice was archived last; 0 where a pass was over with it. Who archives beside another counts
    /// what came since either's slice.
    pub(crate) archiving: AtomicI64,
    /// Nanoseconds that the disk took for the last commit.
    synced: AtomicU64,
}

/// The connection that writes; none once the store is closed.
pub(crate) type Writer<'a> = Turn<'a, Option<Connection>>;

impl Store {
    /// Opens or creates the store of `node_id` at `path`. A refusal changes nothing.
    pub fn open(path: impl AsRef<Path>, node_id: NodeId) -> Result<Self, StoreError> {
        // As it is now: its log is copied by a connection of its own, long after the process may have gone elsewhere.
        let path = std::path::absolute(&path).unwrap_or_else(|_| path.as_ref().to_path_buf());
        let opened = open::open(&path, &node_id.to_string()).map_err(|fault| fault.at(&path))?;
        Ok(Self {
            node_id,
            reader: Turns::new(Some(opened.reader)),
            writer: Turns::new(Some(opened.writer)),
            lock: Mutex::new(Some(opened.lock)),
            keeper: opened.keeper,
            loaded: AtomicI64::new(0),
            archiving: AtomicI64::new(0),
            synced: AtomicU64::new(0),
            path,
        })
    }

    /// Returns the database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the peer this store belongs to.
    pub fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// Closes both connections and frees the lock; a second call does nothing.
    pub fn close(&self) -> Result<(), StoreError> {
        let mut writer = self.writer.take();
        self.keeper.stop(); // its connection must not be the last one
        let reader = self.reader.take().take();
        let closed = reader
            .into_iter()
            .chain(writer.take())
            .map(|connection| connection.close().map_err(|(_, error)| Fault::from(error)))
            .fold(Ok(()), Result::and);
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        closed.map_err(|fault| fault.at(&self.path))
    }

    /// Returns why the log could not be copied back into the file when that was tried last; none where it could.
    pub fn log_trouble(&self) -> Option<String> {
        self.keeper.trouble()
    }

    /// Returns when the log was copied back into the file last: from when to when.
    pub fn log_copied(&self) -> Option<(Instant, Instant)> {
        self.keeper.copied()
    }

    /// Returns how long the last durable commit took to end: to write the log, and to wait for the disk.
    pub fn synced(&self) -> Duration {
        Duration::from_nanos(self.synced.load(Ordering::Relaxed))
    }

    /// Runs `work` in one transaction on the writer. Durable when it returns.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, StoreError> {
        self.write_at(self.writer.take(), work)
    }

    /// Runs `work` as `write` does, once the log was copied and nobody else waits for the writer.
    pub(crate) fn write_behind<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.write_at(self.writer_behind(), work)
    }

    fn write_at<T>(
        &self,
        mut writer: Writer<'_>,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let (value, took) = transact(writer.as_mut(), work).map_err(|fault| fault.at(&self.path))?;
        self.synced.store(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(value)
    }

    /// Runs `work` as `write` does, but without waiting for the disk: what it writes may be lost with the power,
    /// together with nothing else. Only for what can be made again.
    pub(crate) fn write_unsynced<T>(
        &self,
        writer: &mut Writer<'_>,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let unsynced = Unsynced(writer);
        let outcome = set_synchronous(unsynced.0.as_ref(), "NORMAL").and_then(|()| transact(unsynced.0.as_mut(), work));
        let restored = set_synchronous(unsynced.0.as_ref(), "FULL");
        outcome.and_then(|(value, _)| restored.map(|()| value)).map_err(|fault| fault.at(&self.path))
    }

    /// Waits for the writer.
    pub(crate) fn writer(&self) -> Writer<'_> {
        self.writer.take()
    }

    /// Waits for the writer until nobody else does, and for the log: what has time must not fill it.
    pub(crate) fn writer_behind(&self) -> Writer<'_> {
        self.keeper.rest();
        self.writer.take_behind()
    }

    /// Counts who waits for the writer.
    #[cfg(test)]
    pub(crate) fn writers_waiting(&self) -> usize {
        self.writer.waiting()
    }

    /// Takes the writer if nobody has it.
    pub(crate) fn idle_writer(&self) -> Option<Writer<'_>> {
        self.writer.try_take()
    }

    /// Runs `work` on one consistent view of what is committed.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        self.read_at(self.reader.take(), work)
    }

    /// Runs `work` as `read` does, behind whoever waits for the reader.
    pub(crate) fn read_behind<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        self.read_at(self.reader.take_behind(), work)
    }

    fn read_at<T>(
        &self,
        mut reader: Turn<'_, Option<Connection>>,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        open_or_closed(reader.as_mut())
            .and_then(|connection| {
                let view = connection.transaction()?;
                let value = work(&view)?;
                view.finish()?;
                Ok(value)
            })
            .map_err(|fault| fault.at(&self.path))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.keeper.stop();
    }
}

/// Runs `work` in a transaction of its own; returns its value, and how long the end of it took.
fn transact<T>(
    connection: Option<&mut Connection>,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
) -> Result<(T, Duration), Fault> {
    let transaction = open_or_closed(connection)?.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    let began = Instant::now();
    transaction.commit()?;
    Ok((value, began.elapsed()))
}

/// Work that does not wait for the disk. Where it panics, those that come after it wait again, or find the store closed:
/// none of them may be told that something is durable which is not.
struct Unsynced<'a, 'w>(&'a mut Writer<'w>);

impl Drop for Unsynced<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() && set_synchronous(self.0.as_ref(), "FULL").is_err() {
            **self.0 = None;
        }
    }
}

fn set_synchronous(connection: Option<&Connection>, mode: &str) -> Result<(), Fault> {
    open_or_closed(connection)?.pragma_update(None, "synchronous", mode)?;
    Ok(())
}

fn open_or_closed<T>(connection: Option<T>) -> Result<T, Fault> {
    connection.ok_or_else(|| Fault::new(StoreReason::Closed, "the store is closed"))
}
