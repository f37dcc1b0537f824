//! Why a store refuses: one closed list of reasons, the file, and a sentence for a person.
//!
//! `Fault` is what the rooms inside raise (they do not know the file); `StoreError` is a fault with its file.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// A stable word for each way a store can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreReason {
    /// The file exists and is not a database.
    NotADatabase,
    /// The file is a database of another program.
    Foreign,
    /// The file was written by a newer covey.
    Newer,
    /// The file belongs to another peer.
    OtherPeer,
    /// Another process, or another `Store` of this one, writes to it.
    Locked,
    /// The folder or file is missing, read-only, or of the wrong kind.
    Unwritable,
    /// The database's own pages are damaged.
    Corrupt,
    /// A row holds what covey never wrote.
    MalformedRow,
    /// No room on the device.
    DiskFull,
    /// The caller's argument is outside its bounds.
    Input,
    /// A named bound of the store is reached.
    Limit,
    /// The store was closed.
    Closed,
    /// The operating system failed a read or a write.
    Io,
}

impl StoreReason {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotADatabase => "store_not_a_database",
            Self::Foreign => "store_foreign",
            Self::Newer => "store_newer",
            Self::OtherPeer => "store_other_peer",
            Self::Locked => "store_locked",
            Self::Unwritable => "store_unwritable",
            Self::Corrupt => "store_corrupt",
            Self::MalformedRow => "store_malformed_row",
            Self::DiskFull => "store_disk_full",
            Self::Input => "store_input",
            Self::Limit => "store_limit",
            Self::Closed => "store_closed",
            Self::Io => "store_io",
        }
    }
}

/// A refusal of the store: nothing was changed by the call that returned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    /// Which kind of refusal.
    pub reason: StoreReason,
    /// The database file.
    pub path: PathBuf,
    /// One sentence for a person, lower case, with the next step where there is one.
    pub detail: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "store {}: {}", self.path.display(), self.detail)
    }
}

impl std::error::Error for StoreError {}

/// A refusal before the file is known.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) reason: StoreReason,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(reason: StoreReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    pub(crate) fn malformed(what: &str, id: impl fmt::Display) -> Self {
        Self::new(
            StoreReason::MalformedRow,
            format!("row {id} holds no valid {what}; the file was changed by something else"),
        )
    }

    pub(crate) fn at(self, path: &Path) -> StoreError {
        StoreError { reason: self.reason, path: path.to_path_buf(), detail: self.detail }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        let reason = match &error {
            E::SqliteFailure(failure, _) => reason_of(failure.code),
            E::SqlInputError { error, .. } => reason_of(error.code),
            E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..)
            | E::QueryReturnedNoRows
            | E::QueryReturnedMoreThanOneRow => StoreReason::MalformedRow,
            _ => StoreReason::Io,
        };
        Self::new(reason, error.to_string().to_lowercase())
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let reason = match error.kind() {
            K::NotFound | K::PermissionDenied | K::ReadOnlyFilesystem | K::NotADirectory | K::IsADirectory => {
                StoreReason::Unwritable
            }
            K::StorageFull | K::QuotaExceeded => StoreReason::DiskFull,
            _ => StoreReason::Io,
        };
        Self::new(reason, error.to_string().to_lowercase())
    }
}

fn reason_of(code: ErrorCode) -> StoreReason {
    match code {
        ErrorCode::NotADatabase => StoreReason::NotADatabase,
        // An unknown table or column is a plain `SQLITE_ERROR`: our statements are fixed, so the file was changed.
        ErrorCode::DatabaseCorrupt | ErrorCode::SchemaChanged | ErrorCode::Unknown => StoreReason::Corrupt,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreReason::Locked,
        ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::CannotOpen
        | ErrorCode::AuthorizationForStatementDenied => StoreReason::Unwritable,
        ErrorCode::DiskFull => StoreReason::DiskFull,
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch => StoreReason::MalformedRow,
        _ => StoreReason::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_and_says_why() {
        let fault = Fault::from(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        let error = fault.at(Path::new("a/store.db"));
        assert_eq!(error.reason.as_str(), "store_unwritable");
        assert_eq!(error.to_string(), "store a/store.db: permission denied");
    }

    #[test]
    fn sqlite_codes_become_words() {
        let corrupt = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(11), None);
        assert_eq!(Fault::from(corrupt).reason, StoreReason::Corrupt);
        let full = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(13), None);
        assert_eq!(Fault::from(full).reason, StoreReason::DiskFull);
        let no_table = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(1), None);
        assert_eq!(Fault::from(no_table).reason, StoreReason::Corrupt);
    }
}
