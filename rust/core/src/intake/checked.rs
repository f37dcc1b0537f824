//! What stands between the two halves of an intake's work.

use crate::record::Verified;
use crate::signature::Failed;

/// Records whose addresses and signatures were checked, in the order they were heard; nothing else has looked at them.
#[derive(Debug, Default)]
pub struct Checked(pub(super) Vec<Result<Verified, Failed>>);

impl Checked {
    /// Put what was heard later behind.
    pub fn append(&mut self, later: Self) {
        self.0.extend(later.0);
    }
}
