//! Shared state without a coordinator: registers, counters, budgets and sets that merge to the same bytes in any order.
//!
//! `docs/state.md` gives the algorithm and every packed form. In short: authors sign *flushes*, runs of operations under
//! one Merkle root. What stands in a slot is the operation with the greatest (hybrid clock, author, place); a clock is
//! later than all its author had seen, so what happened before loses whatever wall clocks say, and only truly concurrent
//! writes are told apart by clock and author. Wire bytes are kept as they came, or copied once, and merged where they lie.

mod arena;
mod budget;
mod collect;
mod commit;
mod delta;
mod digest;
mod flush;
mod give;
mod merge;
mod op;
mod replica;
mod snapshot;
mod table;
mod tree;
mod wire;

#[cfg(test)]
mod budget_tests;
#[cfg(test)]
mod law_tests;
#[cfg(test)]
mod tests;

pub use budget::{Budget, Change, Row};
pub use commit::Write;
pub use digest::{BUCKETS, Digest, Standing};
pub use flush::{Equivocation, Header, Signed};
pub use merge::{Check, Refused, Report};
pub use replica::{Replica, Value};
