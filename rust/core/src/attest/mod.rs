//! Admission attestations, the extension `sym-attest-v1` (MMP 2.0 §16.4): what a node decided about a record, signed and
//! chained; checkpoints over the chain; witnesses of checkpoints; statistics that prove nothing.
//!
//! Rules: an attestation says who judged what with which result, never that the judging was honest. It changes no
//! admission, lifecycle or authority. What is parsed here is a claim until its signature is verified under the key
//! bound to the node it names.

mod chain;
mod checkpoint;
mod claim;
mod frame;
#[cfg(test)]
mod tests;

pub use chain::{Chain, Judged};
pub use checkpoint::{Checkpoint, Conflict, Witness, chain_root, segment_root};
pub use claim::{Attestation, Finding, Link};
pub use frame::{Frame, NodeStats};

/// The extension's token.
pub const EXTENSION: &str = "sym-attest-v1";
