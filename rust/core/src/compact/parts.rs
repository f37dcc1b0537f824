//! A batch in parts: where its records stand is found in order, and what they say is read in any.
//!
//! Rules: parts put together are what [`super::read`] reads at once, the refusal of the whole included: what is found here
//! is a batch as far as its arrays go, all else is left to `read`, and one part of another shape refuses all of them.

use std::ops::Range;
use std::sync::Arc;

use super::pack::Unpacker;
use super::{Entry, Version, count, entries, read};
use crate::error::Refusal;

/// Records of one part: enough that handing it over is little beside reading it.
const PART_RECORDS: usize = 8;

/// A batch of which nothing but its arrays was read.
#[derive(Debug)]
struct Unread {
    bytes: Vec<u8>,
    version: Version,
}

/// Some records of one batch that stand behind one another, on their way to whoever reads them.
#[derive(Debug)]
pub struct Part {
    batch: Arc<Unread>,
    records: usize,
    place: Range<usize>,
}

impl Part {
    /// Read the records.
    pub fn read(self) -> Result<Vec<Entry>, Refusal> {
        entries(&mut Unpacker(&self.batch.bytes[self.place]), self.records, self.batch.version)
    }
}

/// What became of the parts of one batch, in their order.
#[derive(Debug)]
pub struct Parts(Result<Vec<Vec<Entry>>, Refusal>);

impl Parts {
    /// A batch of so many parts, of which none was read.
    pub fn new(parts: usize) -> Self {
        Self(Ok(Vec::with_capacity(parts)))
    }

    /// Take the next part.
    pub fn push(&mut self, part: Result<Vec<Entry>, Refusal>) {
        match (&mut self.0, part) {
            (Ok(parts), Ok(part)) => parts.push(part),
            (Ok(_), Err(refusal)) => self.0 = Err(refusal),
            (Err(_), _) => {}
        }
    }

    /// The records of all parts, or why there is no batch.
    pub fn whole(self) -> Result<Vec<Vec<Entry>>, Refusal> {
        self.0
    }
}

/// A batch before its records are read.
#[derive(Debug)]
pub enum Found {
    /// What is to be read in parts.
    Parts(Vec<Part>),
    /// What was read at once: a small one, or none at all.
    Read(Result<Vec<Entry>, Refusal>),
}

impl Found {
    /// Find the records of a batch.
    pub fn find(bytes: Vec<u8>, version: Version) -> Self {
        match places(&bytes) {
            Some(places) => {
                let batch = Arc::new(Unread { bytes, version });
                let part = |(records, place)| Part { batch: Arc::clone(&batch), records, place };
                Self::Parts(places.into_iter().map(part).collect())
            }
            None => Self::Read(read(&bytes, version)),
        }
    }
}

/// How many records each part has, and where it stands; `None` where there is one part, or no batch.
fn places(bytes: &[u8]) -> Option<Vec<(usize, Range<usize>)>> {
    let mut input = Unpacker(bytes);
    let mut left = count(&mut input).filter(|count| *count > PART_RECORDS)?;
    let mut places = Vec::with_capacity(left.div_ceil(PART_RECORDS));
    while left > 0 {
        let (records, start) = (left.min(PART_RECORDS), bytes.len() - input.0.len());
        (0..records).try_for_each(|_| input.skip())?;
        places.push((records, start..bytes.len() - input.0.len()));
        left -= records;
    }
    input.0.is_empty().then_some(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compact::Writer;
    use crate::compact::tests::plain;
    use proptest::prelude::*;

    /// What a batch reads as in parts, the last of them first.
    fn in_parts(bytes: &[u8], version: Version) -> Result<Vec<Entry>, Refusal> {
        let parts = match Found::find(bytes.to_vec(), version) {
            Found::Read(read) => return read,
            Found::Parts(parts) => parts,
        };
        let mut read: Vec<_> = parts.into_iter().rev().map(Part::read).collect();
        let mut whole = Parts::new(read.len());
        while let Some(part) = read.pop() {
            whole.push(part);
        }
        whole.whole().map(|parts| parts.into_iter().flatten().collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Whole, bent in some places, cut or longer, of either version: the same records and the same refusals.
        #[test]
        fn parts_are_what_is_read_at_once(
            texts in prop::collection::vec("\\PC{0,20}", 1..40),
            version in prop::sample::select(vec![Version::One, Version::Two]),
            as_version in prop::sample::select(vec![Version::One, Version::Two]),
            bent in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
            behind in prop::collection::vec(any::<u8>(), 0..3),
        ) {
            let mut writer = Writer::new(version);
            for text in &texts {
                writer.add(&plain(text));
            }
            let mut bytes = writer.take();
            for (at, byte) in bent {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes.extend(behind);
            prop_assert_eq!(in_parts(&bytes, as_version), read(&bytes, as_version));
        }
    }

    #[test]
    fn a_large_batch_has_parts_and_a_small_one_has_none() {
        let batch = |count: usize| {
            let mut writer = Writer::new(Version::Two);
            for number in 0..count {
                writer.add(&plain(&format!("thing {number}")));
            }
            writer.take()
        };
        let records = |count: usize| match Found::find(batch(count), Version::Two) {
            Found::Parts(parts) => parts.iter().map(|part| part.records).collect(),
            Found::Read(read) => vec![read.unwrap().len(); 1],
        };
        assert_eq!([records(8), records(20)], [vec![8], vec![8, 8, 4]]);
        let bent = [&batch(20)[..], &[0]].concat();
        assert!(matches!(Found::find(bent, Version::Two), Found::Read(Err(_))));
    }
}
