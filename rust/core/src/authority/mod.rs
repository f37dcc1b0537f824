//! Authority by signed statements (MMP 2.0 §6.6, as the specification's main text has it): grants, revokes and
//! endorses, linked by hash, resolved as a set against an anchor pinned out of band.
//!
//! Rules: nothing here reads a clock, and no order of arrival changes an answer. A statement that counts has been
//! verified here; nothing about its standing is read from a wire or a disk. Everything is bounded: depth, targets,
//! signatures, statements of one grant, statements held, checks one frame may cost.

mod frame;
mod judge;
mod ledger;
mod pin;
mod resolution;
mod role;
mod settle;
mod statement;
#[cfg(test)]
mod tests;

pub use frame::{Fetch, Frame, Set, StateDigest, Wanted};
pub use ledger::{Ledger, Offered};
pub use pin::AnchorPin;
pub use resolution::{Held, Place, Resolution, resolve};
pub use role::{Reach, Role, Scope};
pub use settle::Standing;
pub use statement::{Act, Entry, Grant, Source, Statement};

use crate::limits::{ANCHOR_QUOTA, DELEGATE_QUOTA, GRANT_QUOTA};

/// How many statements one source keeps in force (§6.6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Under one grant, what its bucket rescues included.
    pub statements: usize,
    /// Under one grant, of them grants of a role that signs statements itself.
    pub delegates: usize,
    /// Under the anchor.
    pub anchor: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { statements: GRANT_QUOTA, delegates: DELEGATE_QUOTA, anchor: ANCHOR_QUOTA }
    }
}
