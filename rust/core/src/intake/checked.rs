//! What stands between the two halves of an intake's work.

use super::memory::Reading;
use super::{Intake, SeenId};
use crate::record::{Unverified, Verified};
use crate::signature::{self, Failed};

/// A record whose addresses and signature hold, and what admission reads in its texts, if it is likely to ask.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) verified: Verified,
    pub(super) read: Option<Reading>,
}

/// What stands behind a record that is to be judged.
pub(super) enum Standing {
    /// A wire that proves less than a signature: what it names as its parents, and its report of an end, do not count.
    Hearsay,
    /// Its author's signature; with what was read of its texts, if it was.
    Signed(Option<Reading>),
}

/// Records whose addresses and signatures were checked, in the order they were heard; nobody has judged them.
#[derive(Debug, Default)]
pub struct Checked(pub(super) Vec<Result<Proven, Failed>>);

impl Checked {
    /// Put what was heard later behind.
    pub fn append(&mut self, later: Self) {
        self.0.extend(later.0);
    }
}

impl Intake {
    /// Check addresses and signatures, and read texts, all of which needs no order and changes nothing: the first half of
    /// [`Intake::evaluate`].
    pub fn check(&self, records: Vec<Unverified>) -> Checked {
        let checked = signature::verify_heard(records, |author| self.bindings.get(&author));
        let proven = |verified: Verified| {
            let read = self.may_judge(&verified).then(|| self.memory.read(verified.record().texts()));
            Proven { verified, read }
        };
        Checked(checked.into_iter().map(|checked| checked.map(proven)).collect())
    }

    /// Say whether a record will probably be judged: of this room, and not known. Where it is wrong, judging reads by itself.
    fn may_judge(&self, verified: &Verified) -> bool {
        let metadata = &verified.record().metadata;
        metadata.room == self.room && self.seen.get(&SeenId::Memory(metadata.key)).is_none()
    }
}
