//! Where operations lie: pieces that were handed over, kept as they came, and between them what was copied.

use bytes::Bytes;

/// Least length of bytes that are kept as they were handed over; to copy fewer costs less than to hold them.
const KEPT_BYTES: usize = 16_384;
/// A piece that copies go into takes no more once it is this long: beyond, growing it would copy it again.
const PIECE_BYTES: usize = 1 << 20;

/// Number of a piece above, place in it below.
pub type Place = u64;

#[derive(Clone)]
enum Piece {
    Copied(Vec<u8>),
    Kept(Bytes),
}

impl Piece {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Kept(bytes) => bytes,
        }
    }
}

/// Bytes that entries lie in.
#[derive(Clone, Default)]
pub struct Arena {
    pieces: Vec<Piece>,
    held: usize,
}

impl Arena {
    /// An empty arena, with room for that many copied bytes in one piece.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { pieces: vec![Piece::Copied(Vec::with_capacity(bytes))], held: 0 }
    }

    /// Bytes that are held.
    pub const fn len(&self) -> usize {
        self.held
    }

    /// Bytes that lie here.
    #[inline]
    pub fn get(&self, at: Place, len: usize) -> &[u8] {
        let (piece, at) = split(at);
        &self.pieces[piece].bytes()[at..at + len]
    }

    /// Copy bytes in; returns where they begin.
    pub fn copy(&mut self, bytes: &[u8]) -> Place {
        self.held += bytes.len();
        if let Some(Piece::Copied(last)) = self.pieces.last_mut()
            && last.len() + bytes.len() <= PIECE_BYTES.max(last.capacity())
        {
            let at = last.len();
            last.extend_from_slice(bytes);
            return place(self.pieces.len() - 1, at);
        }
        self.pieces.push(Piece::Copied(bytes.to_vec()));
        place(self.pieces.len() - 1, 0)
    }

    /// Keep bytes as they are, or copy them where they are few; returns where they begin.
    pub fn keep(&mut self, bytes: &Bytes) -> Place {
        if bytes.len() < KEPT_BYTES {
            return self.copy(bytes);
        }
        self.held += bytes.len();
        self.pieces.push(Piece::Kept(bytes.clone()));
        place(self.pieces.len() - 1, 0)
    }

    /// Take back what came last and begins here.
    pub fn retract(&mut self, at: Place) {
        let (_, at) = split(at);
        match self.pieces.last_mut() {
            Some(Piece::Copied(last)) => {
                self.held -= last.len() - at;
                last.truncate(at);
            }
            Some(Piece::Kept(last)) => {
                self.held -= last.len();
                self.pieces.pop();
            }
            None => {}
        }
    }
}

const fn place(piece: usize, at: usize) -> Place {
    (piece as u64) << 32 | at as u64
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // there are fewer pieces than bytes, and a piece is below 2^32
const fn split(at: Place) -> (usize, usize) {
    ((at >> 32) as usize, (at & 0xffff_ffff) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_is_kept_as_it_came_and_what_is_small_is_copied() {
        let mut arena = Arena::default();
        let (large, small) = (Bytes::from(vec![7; KEPT_BYTES]), Bytes::from_static(b"small"));
        let places = [arena.keep(&small), arena.keep(&large), arena.keep(&small), arena.copy(b"more")];
        assert_eq!(arena.get(places[0], 5), b"small");
        assert_eq!(arena.get(places[1], KEPT_BYTES).as_ptr(), large.as_ptr());
        assert_eq!((arena.get(places[2], 5), arena.get(places[3], 4)), (&b"small"[..], &b"more"[..]));
        assert_eq!((arena.pieces.len(), arena.len()), (3, KEPT_BYTES + 14));
    }

    #[test]
    fn what_came_last_is_taken_back_and_nothing_before_it() {
        let mut arena = Arena::default();
        let large = Bytes::from(vec![7; KEPT_BYTES]);
        let first = arena.copy(b"first");
        let second = arena.copy(b"second");
        arena.retract(second);
        let kept = arena.keep(&large);
        arena.retract(kept);
        assert_eq!((arena.get(first, 5), arena.len(), arena.pieces.len()), (&b"first"[..], 5, 1));
        assert_eq!(arena.copy(b"third"), second);
    }

    #[test]
    fn a_full_piece_is_not_grown_and_one_made_for_more_is() {
        let mut arena = Arena::with_capacity(3 * PIECE_BYTES);
        for _ in 0..3 {
            arena.copy(&vec![1; PIECE_BYTES]);
        }
        assert_eq!(arena.pieces.len(), 1);
        arena.copy(b"x");
        assert_eq!((arena.pieces.len(), arena.len()), (2, 3 * PIECE_BYTES + 1));
    }
}
