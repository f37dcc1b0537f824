//! What a decision rests on, as a row holds it: bounded, and a few bytes where most categories lie nearest to one block.
//!
//! Layout: version, path, flags; anchors as a little-endian u32; the kernel's id behind its length; how many keys, the
//! keys, and for each category the place of its key. Version 2 ends with a little-endian double: what a prior moved. Whatever
//! does not read as that is no basis.

use covey_core::category::COUNT;
use covey_core::id::ContentKey;
use covey_core::svaf::{Basis, Path};

/// Without a prior.
const PLAIN: u8 = 1;
/// With what it moved.
const MOVED: u8 = 2;
const MOVED_BYTES: usize = 8;
const KEY_BYTES: usize = 32;
const GROUNDING: u8 = 1;
/// Stands for no key.
const NONE: u8 = u8::MAX;

/// Packs a basis: at most 7 + 255 + 8 keys of 32 bytes and their 8 places.
pub(crate) fn pack(basis: &Basis) -> Vec<u8> {
    let mut keys: Vec<ContentKey> = Vec::with_capacity(COUNT + 1);
    let mut place = |key: Option<ContentKey>| {
        let Some(key) = key else { return NONE };
        let found = keys.iter().position(|held| *held == key).unwrap_or_else(|| {
            keys.push(key);
            keys.len() - 1
        });
        u8::try_from(found).unwrap_or(NONE)
    };
    let nearest = basis.nearest.map(&mut place);
    let lineage = place(basis.lineage);
    let flags = GROUNDING * u8::from(basis.grounding);
    let path = Path::ALL.iter().position(|path| *path == basis.path).and_then(|at| u8::try_from(at).ok());
    let kernel = &basis.kernel.as_bytes()[..basis.kernel.len().min(usize::from(u8::MAX))];
    let version = if basis.moved.is_some() { MOVED } else { PLAIN };
    let mut packed = vec![version, path.unwrap_or(NONE), flags];
    packed.extend(u32::try_from(basis.anchors).unwrap_or(u32::MAX).to_le_bytes());
    packed.push(u8::try_from(kernel.len()).unwrap_or(u8::MAX));
    packed.extend(kernel);
    packed.push(u8::try_from(keys.len()).unwrap_or(0));
    for key in &keys {
        packed.extend(key.as_bytes());
    }
    packed.extend(nearest);
    packed.push(lineage);
    packed.extend(basis.moved.iter().flat_map(|moved| moved.to_le_bytes()));
    packed
}

/// Unpacks what `pack` wrote; `None` when the bytes are not that.
pub(crate) fn unpack(packed: &[u8]) -> Option<Basis> {
    let (&[version, path, flags, a, b, c, d, length], rest) = packed.split_first_chunk::<8>()?;
    let (kernel, rest) = rest.split_at_checked(usize::from(length))?;
    let (&count, rest) = rest.split_first()?;
    let (keys, places) = rest.split_at_checked(usize::from(count) * KEY_BYTES)?;
    let (nearest, lineage) = places.split_first_chunk::<COUNT>()?;
    let (&lineage, end) = lineage.split_first()?;
    let moved = match (version, end) {
        (PLAIN, []) => None,
        (MOVED, end) => {
            Some(f64::from_le_bytes(*<&[u8; MOVED_BYTES]>::try_from(end).ok()?)).filter(|moved| moved.is_finite())
        }
        _ => return None,
    };
    let key = |place: u8| match place {
        NONE => Some(None),
        at => {
            let bytes = keys.as_chunks::<KEY_BYTES>().0.get(usize::from(at))?;
            Some(Some(ContentKey::from_bytes(*bytes)))
        }
    };
    let mut found = [None; COUNT];
    for (slot, place) in found.iter_mut().zip(nearest) {
        *slot = key(*place)?;
    }
    Some(Basis {
        path: *Path::ALL.get(usize::from(path))?,
        kernel: String::from_utf8(kernel.to_vec()).ok()?,
        anchors: usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?,
        nearest: found,
        lineage: key(lineage)?,
        grounding: flags & GROUNDING != 0,
        moved,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> impl Strategy<Value = Option<ContentKey>> {
        proptest::option::of((0..9_u8).prop_map(|byte| ContentKey::from_bytes([byte; 32])))
    }

    proptest! {
        #[test]
        fn packing_loses_nothing(
            nearest in proptest::array::uniform7(keys()), lineage in keys(), anchors in 0..20_000_usize,
            grounding: bool, kernel in "[a-z0-9:-]{0,80}", moved in proptest::option::of(-1.0..1.0_f64),
        ) {
            let basis = Basis { path: Path::Baseline, kernel, anchors, nearest, lineage, grounding, moved };
            let packed = pack(&basis);
            prop_assert!(packed.len() < 400);
            prop_assert_eq!(unpack(&packed), Some(basis));
        }

        #[test]
        fn foreign_bytes_are_none_or_a_basis(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Some(basis) = unpack(&bytes) {
                prop_assert!(basis.kernel.len() <= 255);
            }
        }

        #[test]
        fn a_basis_cut_short_is_none(cut in 0..60_usize) {
            let nearest = [Some(ContentKey::from_bytes([1; 32])); COUNT];
            let basis = Basis {
                path: Path::Baseline, kernel: "ngram-h32".to_owned(), anchors: 5, nearest, lineage: None, grounding: false,
                moved: None,
            };
            let packed = pack(&basis);
            prop_assert_eq!(unpack(&packed[..cut.min(packed.len() - 1)]), None);
        }
    }
}
