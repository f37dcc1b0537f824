//! Frames of one read, opened side by side, and the records of a batch among them, too: one worker takes its seal off and
//! finds them, and whoever has time reads them.

use std::ops::Range;

use covey_core::frame::Ahead;
use covey_core::session::{Batch, Opened, Part, Read, ReadPart, Reader};

use crate::call;
use crate::crew::Crew;

/// Something to do.
enum Piece {
    /// Open the frame that stands there.
    Frame(Range<usize>),
    /// Read records of the batch that was opened first of those of which something is missing.
    Records(Part),
}

/// What was done.
enum Done {
    Frame(Opened),
    Records(ReadPart),
}

/// Read frames: what each reads as, in their order.
pub fn read(crew: &Crew, workers: usize, reader: &Reader, frames: &[Ahead<'_>]) -> Vec<Read> {
    let mut opened = Order::with_capacity(frames.len());
    let (frames, pieces) = Frames::copy(reader, frames);
    let work = move |run: Vec<Piece>| -> Vec<Done> { run.into_iter().map(|piece| frames.work(piece)).collect() };
    call::share(crew, pieces, (workers, 1), work, |run| run.into_iter().flat_map(|done| opened.take(done)).collect());
    opened.slots.into_iter().map(Slot::read).collect()
}

/// What came of one frame.
enum Slot {
    Read(Read),
    /// A batch of which so many parts are missing.
    Batch(Batch, usize),
}

impl Slot {
    fn read(self) -> Read {
        match self {
            Self::Read(read) => read,
            Self::Batch(batch, _) => batch.whole(),
        }
    }
}

/// Frames in their order. Parts come in the order of their batches, each batch's behind one another.
struct Order {
    slots: Vec<Slot>,
    /// Slots that nothing is missing of.
    whole: usize,
}

impl Order {
    fn with_capacity(frames: usize) -> Self {
        Self { slots: Vec::with_capacity(frames), whole: 0 }
    }

    /// Take what was done next; return what is to be done because of it.
    fn take(&mut self, done: Done) -> Vec<Piece> {
        match done {
            Done::Frame(Opened::Read(read)) => self.slots.push(Slot::Read(read)),
            Done::Frame(Opened::Batch(batch, parts)) => {
                self.slots.push(Slot::Batch(batch, parts.len()));
                return parts.into_iter().map(Piece::Records).collect();
            }
            Done::Records(part) => {
                while let Some(Slot::Read(_) | Slot::Batch(_, 0)) = self.slots.get(self.whole) {
                    self.whole += 1;
                }
                if let Some(Slot::Batch(batch, missing)) = self.slots.get_mut(self.whole) {
                    batch.push(part);
                    *missing -= 1;
                }
            }
        }
        Vec::new()
    }
}

/// Frames that outlast the call of who read them: a copy, which takes a hundredth of the time that opening them does.
struct Frames {
    reader: Reader,
    bytes: Vec<u8>,
}

impl Frames {
    /// Copy frames: them, and what is to be done.
    fn copy(reader: &Reader, frames: &[Ahead<'_>]) -> (Self, Vec<Piece>) {
        let mut bytes = Vec::with_capacity(frames.iter().map(Ahead::length).sum());
        let place = |frame: &Ahead<'_>| {
            let start = bytes.len();
            bytes.extend_from_slice(frame.begun);
            bytes.extend_from_slice(frame.ended);
            Piece::Frame(start..bytes.len())
        };
        let pieces = frames.iter().map(place).collect();
        (Self { reader: reader.clone(), bytes }, pieces)
    }

    fn work(&self, piece: Piece) -> Done {
        match piece {
            Piece::Frame(range) => Done::Frame(self.reader.open(&self.bytes[range])),
            Piece::Records(part) => Done::Records(part.read()),
        }
    }
}
