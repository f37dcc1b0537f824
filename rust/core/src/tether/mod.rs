//! The lineage tether (MMP 2.0 §15.8): a remix names parents only where it is still about what their root was about.
//!
//! Rules: the check is content only, against the root and never against the parent, so it does not compound with
//! depth. Both sides are encoded by one kernel, and a verdict names it; drifts of two kernels are not compared. What
//! cannot be compared is unverified, which is no refusal. An attestation says who judged what in which kernel, never
//! that the judging was honest.

mod attestation;
mod drift;
#[cfg(test)]
mod tests;

pub use attestation::Attestation;
pub use drift::{Standing, Verdict, measure, of_texts};
