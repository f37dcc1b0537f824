//! SVAF, the receiver's own admission (MMP 2.0 §9.2): each category is compared with what memory holds, and one decision
//! is made for the whole record. `gate` is the reference baseline, bit for bit; `selective` is covey's own path, which a `prior` of what
//! others learned may move. Thresholds and
//! weights are the receiver's policy.
//!
//! Rules: pure arithmetic over features that exist. Nothing here reads a clock, keeps state or knows a record.

mod age;
mod among;
#[cfg(test)]
mod among_tests;
mod basis;
mod drift;
mod explain;
mod features;
mod gate;
mod gather;
mod kinship;
mod meeting;
mod prior;
#[cfg(test)]
mod prior_tests;
mod scales;
mod selective;
#[cfg(test)]
mod selective_tests;
mod stored;
#[cfg(test)]
mod tests;
mod traces;
mod vectors;
mod verdict;
mod words;

pub use basis::{Basis, Path};
pub use drift::{Anchor, Distance};
pub use features::Features;
pub(crate) use features::cosine_of;
pub use gate::{Gate, Thresholds};
pub use gather::Gather;
pub use kinship::{EVIDENCE_NAMES, Evidence};
pub use prior::{CONCEPTS, Concept, MASS, Nearness, OWN, Prior};
pub use selective::{Candidate, Circumstances, Scale, evidence};
pub use stored::TRACES_BYTES;
pub use traces::Traces;
pub use vectors::Code;
pub use verdict::{CategoryVerdict, Decision, Evaluation, Silence, Verdict};
pub use words::{SKETCH, Words};
