//! covey-store: the durable memory of one peer, in one `SQLite` file.
//!
//! Rules: one database per peer, one writer; whatever a call acknowledged survives `kill -9` and the loss of power;
//! a refusal names the file and why, and changes nothing; every table has its bound in [`limits`].

mod attest;
mod basis;
mod bindings;
mod commit;
mod decisions;
mod error;
mod evidence;
mod inbox;
mod judgement;
mod kept;
pub mod limits;
mod lineage;
mod open;
mod outbox;
mod recall;
mod records;
mod restore;
mod schema;
mod seen;
mod sends;
mod shared;
mod state;
mod statements;
mod stats;
mod store;
mod streams;
mod times;

pub use attest::{AttestKind, AttestRow};
pub use bindings::{Binding, Bound};
pub use commit::CommitReport;
pub use decisions::DecisionRow;
pub use error::{StoreError, StoreReason};
pub use inbox::{Attention, InboxRow};
pub use judgement::Judgement;
pub use kept::{KeptRow, Line};
pub use lineage::{ParentEdge, RECORD_LEVEL};
pub use outbox::{OutboxRow, Own, Put};
pub use recall::RecallResult;
pub use records::{Filter, Lifecycle, StoredRecord};
pub use schema::SCHEMA_VERSION;
pub use sends::{OutboxPage, Said, SendRow};
pub use shared::SharedRow;
pub use stats::Stats;
pub use store::Store;
pub use streams::{Ending, GapRow, MessageRow, StreamIn};
