//! Opening a store file: look first, lock second, open third. A refusal leaves every byte as it was.
//!
//! The lock is an advisory lock on `<file>.lock`, not on the database: closing any descriptor of a database file
//! drops the POSIX locks that `SQLite` holds on it in the same process, so the file itself is only ever read here
//! while no store of ours can have it open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::checkpoint::Keeper;
use crate::error::{Fault, StoreReason};
use crate::schema;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: u64 = 100;
/// Another program may hold the file for a moment (a backup, a shell); longer than this is its fault.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes the log file keeps after it was copied back.
const LOG_KEPT_BYTES: i64 = 64 << 20;
/// Page cache of the writer, KiB: the inner pages of the indexes of about a million records.
const WRITER_CACHE_KIB: i64 = 16_384;
const READER_CACHE_KIB: i64 = 4_096;
const STATEMENTS_CACHED: usize = 64;

/// One opening at a time in this process, so that nobody reads a header while another opens the same file.
static OPENING: Mutex<()> = Mutex::new(());

/// What `open` hands over: a writer, a reader, the lock that lives as long as they do, and who keeps the log short.
pub(crate) struct Opened {
    pub(crate) writer: Connection,
    pub(crate) reader: Connection,
    pub(crate) lock: File,
    pub(crate) keeper: Arc<Keeper>,
}

/// Opens or creates the store of `node_id` at `path`.
pub(crate) fn open(path: &Path, node_id: &str) -> Result<Opened, Fault> {
    let _one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if node_id.is_empty() || node_id.len() > 64 {
        return Err(Fault::new(StoreReason::Input, "a store needs the node id of its peer"));
    }
    let lock_path = beside(path, ".lock");
    if !lock_path.exists() {
        inspect(path)?;
    }
    let lock = take_lock(&lock_path)?;
    inspect(path)?;
    create_private(path)?;
    let had_log = file_size(&beside(path, "-wal"))? > 0;
    let mut writer = Connection::open_with_flags(path, flags(false))?;
    if had_log {
        // Only the last close copies the log back; a file we are about to refuse must not be touched by us.
        writer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    writer.busy_timeout(BUSY_TIMEOUT)?;
    let (stamp, empty) = schema::read_stamp(&writer)?;
    schema::check_stamp(stamp, empty)?;
    if had_log {
        writer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    }
    prepare_writer(&writer)?;
    schema::migrate(&mut writer, node_id)?;
    let reader = Connection::open_with_flags(path, flags(true))?;
    prepare_reader(&reader)?;
    let keeper = Keeper::of(path);
    keeper.watch(&mut writer)?;
    Ok(Opened { writer, reader, lock, keeper })
}

/// Opens one more connection to a store that this process has open.
pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(connection)
}

/// Returns `path` with `suffix` behind its last letter.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

/// Returns a file's size in bytes, zero when it does not exist.
pub(crate) fn file_size(path: &Path) -> Result<u64, Fault> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Reads the header and refuses what is plainly not ours, without opening it as a database.
fn inspect(path: &Path) -> Result<(), Fault> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(Fault::new(StoreReason::Unwritable, format!("no such folder: {}", folder.display())));
    }
    let mut header = Vec::new();
    match File::open(path) {
        Ok(file) => {
            if file.metadata()?.is_dir() {
                return Err(Fault::new(StoreReason::Unwritable, "this is a folder, not a file"));
            }
            file.take(HEADER_BYTES).read_to_end(&mut header)?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    check_writable(path)?;
    if header.is_empty() {
        return Ok(());
    }
    if header.len() < 100 || !header.starts_with(MAGIC) {
        return Err(Fault::new(StoreReason::NotADatabase, "not a database"));
    }
    if file_size(&beside(path, "-wal"))? == 0 {
        // Without a log the header is the whole truth, and a foreign file need not be opened at all.
        check_header(&header, file_size(path)?)?;
    }
    Ok(())
}

fn check_header(header: &[u8], size: u64) -> Result<(), Fault> {
    let stamp = schema::Stamp { application_id: number(header, 68), version: number(header, 60) };
    if stamp.application_id != 0 {
        schema::check_stamp(stamp, false)?;
    }
    // The two counters agree unless a very old program wrote last; then the page count is not maintained.
    let pages = number(header, 28);
    if pages > 0 && number(header, 24) == number(header, 92) {
        let page_bytes = u64::from(u16::from_be_bytes([header[16], header[17]]));
        let wanted = u64::from(pages.unsigned_abs()) * if page_bytes == 1 { 65_536 } else { page_bytes };
        if size < wanted {
            return Err(Fault::new(StoreReason::Corrupt, format!("cut short: {size} bytes of {wanted}")));
        }
    }
    Ok(())
}

fn check_writable(path: &Path) -> Result<(), Fault> {
    OpenOptions::new().write(true).open(path).map(drop).map_err(Fault::from)
}

fn number(header: &[u8], at: usize) -> i32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&header[at..at + 4]);
    i32::from_be_bytes(bytes)
}

/// Makes the file before `SQLite` does, for its owner only; `SQLite` gives its log the same mode.
fn create_private(path: &Path) -> Result<(), Fault> {
    private().create(true).truncate(false).open(path).map(drop).map_err(Fault::from)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn take_lock(path: &Path) -> Result<File, Fault> {
    let file = private().create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Fault::new(StoreReason::Locked, "in use by a running peer; stop it first, or ask it (covey status)"))
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn flags(read_only: bool) -> OpenFlags {
    // No URI names: a path with a question mark is a path. Our own mutexes keep each connection to one thread.
    let access = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn prepare_writer(connection: &Connection) -> Result<(), Fault> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::new(
            StoreReason::Unwritable,
            "this file system cannot hold a write-ahead log; put the store on a local disk",
        ));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    harden(connection)
}

fn prepare_reader(connection: &Connection) -> Result<(), Fault> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    harden(connection)
}

/// A file that was tampered with may carry triggers or functions: none of them runs.
fn harden(connection: &Connection) -> Result<(), Fault> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(())
}
