//! Length-prefixed frames: a 32-bit big-endian length, then that many bytes of UTF-8 JSON (MMP 2.0 §4).
//!
//! Rules: this room knows lengths only, never what a frame says. A frame that lies whole in the input is lent from
//! there; only a frame that is cut between two reads is copied, once, into a buffer that never grows beyond one frame.

use crate::error::{Reason, Refusal};
use crate::limits::MAX_FRAME_BYTES;

/// The length prefix, in bytes.
pub const PREFIX_BYTES: usize = 4;

/// What the buffer may keep allocated between frames. Records are a few kilobytes; one large frame must not pin a
/// megabyte to every idle session.
const KEPT_CAPACITY_BYTES: usize = 65_536;

/// The body of a frame before [`Decoder::next`] lends it: what came of it before, and the rest.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    /// Bytes that are held; most frames have none.
    pub begun: &'a [u8],
    /// Bytes of the input.
    pub ended: &'a [u8],
}

impl Ahead<'_> {
    /// How long the body is.
    pub const fn length(&self) -> usize {
        self.begun.len() + self.ended.len()
    }
}

/// An incremental decoder of one byte stream.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// The buffer holds a frame that was already lent; the next call drops it.
    lent: bool,
}

impl Decoder {
    /// Start at the beginning of a stream.
    pub const fn new() -> Self {
        Self { buffer: Vec::new(), lent: false }
    }

    /// Return the body of the next frame, taking what it needs from the front of `input`.
    ///
    /// `limit` is the longest body accepted, in bytes. `None` means that `input` is used up and more is needed.
    ///
    /// # Errors
    /// A length of zero or above `limit`. The stream has no next frame after that: the connection must be closed.
    pub fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8], limit: usize) -> Result<Option<&'a [u8]>, Refusal> {
        self.drop_lent();
        if self.buffer.is_empty()
            && let Some((prefix, rest)) = input.split_first_chunk::<PREFIX_BYTES>()
        {
            let length = body_length(*prefix, limit)?;
            if let Some((body, after)) = rest.split_at_checked(length) {
                *input = after;
                return Ok(Some(body));
            }
        }
        self.fill(input, PREFIX_BYTES);
        let Some(prefix) = self.buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let whole = PREFIX_BYTES + body_length(*prefix, limit)?;
        self.fill(input, whole);
        if self.buffer.len() < whole {
            return Ok(None);
        }
        self.lent = true;
        Ok(Some(&self.buffer[PREFIX_BYTES..]))
    }

    /// Look at what [`Decoder::next`] will lend as far as `input` goes, without taking anything: the bodies of frames, up
    /// to what is no frame.
    pub fn ahead<'i>(&'i self, input: &'i [u8], limit: usize) -> Vec<Ahead<'i>> {
        let held = if self.lent { &[] } else { &self.buffer[..] };
        let (mut rest, mut frames) = (input, Vec::new());
        if !held.is_empty() {
            let (prefix, begun) = held.split_at(held.len().min(PREFIX_BYTES));
            let (lacking, behind) = input.split_at(input.len().min(PREFIX_BYTES - prefix.len()));
            let prefix: Vec<u8> = [prefix, lacking].concat();
            let length = prefix.first_chunk::<PREFIX_BYTES>().and_then(|prefix| body_length(*prefix, limit).ok());
            match length.and_then(|length| behind.split_at_checked(length.saturating_sub(begun.len()))) {
                Some((ended, after)) => {
                    frames.push(Ahead { begun, ended });
                    rest = after;
                }
                None => return frames,
            }
        }
        while let Some((prefix, behind)) = rest.split_first_chunk::<PREFIX_BYTES>()
            && let Ok(length) = body_length(*prefix, limit)
            && let Some((ended, after)) = behind.split_at_checked(length)
        {
            frames.push(Ahead { begun: &[], ended });
            rest = after;
        }
        frames
    }

    /// How many bytes of an unfinished frame are held.
    pub fn held_bytes(&self) -> usize {
        if self.lent { 0 } else { self.buffer.len() }
    }

    /// Move bytes from `input` until the buffer holds `target` bytes or the input is used up.
    fn fill(&mut self, input: &mut &[u8], target: usize) {
        let wanted = target.saturating_sub(self.buffer.len()).min(input.len());
        let (taken, rest) = input.split_at(wanted);
        self.buffer.extend_from_slice(taken);
        *input = rest;
    }

    fn drop_lent(&mut self) {
        if self.lent {
            self.lent = false;
            self.buffer.clear();
            self.buffer.shrink_to(KEPT_CAPACITY_BYTES);
        }
    }
}

/// Append one frame to `output`.
///
/// # Errors
/// A body that is empty or longer than [`MAX_FRAME_BYTES`]; `output` is unchanged.
pub fn encode(body: &[u8], output: &mut Vec<u8>) -> Result<(), Refusal> {
    encode_with(output, |output| {
        output.extend_from_slice(body);
        Ok(())
    })
}

/// Append one frame to `output`, whose body `write` appends.
///
/// # Errors
/// What `write` refuses, or a body that is empty or longer than [`MAX_FRAME_BYTES`]; `output` is unchanged.
pub fn encode_with(
    output: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let start = output.len();
    output.extend_from_slice(&[0; PREFIX_BYTES]);
    let body = start + PREFIX_BYTES;
    let written = write(output).and_then(|()| {
        let length = output.len() - body;
        u32::try_from(length)
            .ok()
            .filter(|length| (1..=MAX_FRAME_BYTES).contains(&(*length as usize)))
            .ok_or_else(|| Refusal::new(Reason::FrameTooLarge, format!("frame of {length} bytes")))
    });
    match written {
        Ok(length) => output[start..body].copy_from_slice(&length.to_be_bytes()),
        Err(refusal) => {
            output.truncate(start);
            return Err(refusal);
        }
    }
    Ok(())
}

fn body_length(prefix: [u8; PREFIX_BYTES], limit: usize) -> Result<usize, Refusal> {
    let length = u32::from_be_bytes(prefix) as usize;
    check_length(length, limit)?;
    Ok(length)
}

/// Check the length of one frame, wherever it came from.
///
/// # Errors
/// Zero, or above `limit`.
pub fn check_length(length: usize, limit: usize) -> Result<(), Refusal> {
    if length == 0 {
        return Err(Refusal::new(Reason::FrameEmpty, "frame of 0 bytes"));
    }
    if length > limit {
        return Err(Refusal::new(Reason::FrameTooLarge, format!("frame of {length} bytes, at most {limit}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decode a stream cut into `chunks`, until it ends or turns fatal.
    fn decode(chunks: &[&[u8]], limit: usize) -> (Vec<Vec<u8>>, Option<Reason>) {
        let (mut decoder, mut frames) = (Decoder::new(), Vec::new());
        for chunk in chunks {
            let mut input = *chunk;
            loop {
                match decoder.next(&mut input, limit) {
                    Ok(Some(frame)) => frames.push(frame.to_vec()),
                    Ok(None) => break,
                    Err(refusal) => return (frames, Some(refusal.reason)),
                }
            }
            assert!(input.is_empty());
            assert!(decoder.held_bytes() <= PREFIX_BYTES + limit);
        }
        (frames, None)
    }

    fn cut<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(stream.len());
        let mut start = 0;
        let chunks = ends.iter().map(|&end| (std::mem::replace(&mut start, end), end));
        chunks.map(|(from, to)| &stream[from..to]).collect()
    }

    #[test]
    fn a_whole_frame_is_lent_from_the_input() {
        let stream = [0, 0, 0, 2, b'{', b'}', 0, 0];
        let mut input = &stream[..];
        let mut decoder = Decoder::new();
        let frame = decoder.next(&mut input, 16).unwrap().unwrap();
        assert!(std::ptr::eq(frame, &raw const stream[4..6]));
        assert_eq!(decoder.held_bytes(), 0);
        assert_eq!(decoder.next(&mut input, 16), Ok(None));
        assert_eq!(decoder.held_bytes(), 2);
    }

    #[test]
    fn zero_and_oversize_are_fatal_at_the_prefix() {
        assert_eq!(decode(&[&[0, 0, 0, 0]], 16), (vec![], Some(Reason::FrameEmpty)));
        assert_eq!(decode(&[&[0, 0, 0, 17]], 16), (vec![], Some(Reason::FrameTooLarge)));
        assert_eq!(decode(&[&[0, 0], &[0, 17]], 16), (vec![], Some(Reason::FrameTooLarge)));
        assert_eq!(
            decode(&[&[0, 0, 0, 1, 7], &[0xff; 4]], MAX_FRAME_BYTES),
            (vec![vec![7]], Some(Reason::FrameTooLarge))
        );
    }

    #[test]
    fn the_longest_frame_passes_and_its_buffer_is_given_back() {
        let mut stream = Vec::new();
        encode(&vec![b' '; MAX_FRAME_BYTES], &mut stream).unwrap();
        let (mut decoder, mut first) = (Decoder::new(), &stream[..1000]);
        assert_eq!(decoder.next(&mut first, MAX_FRAME_BYTES), Ok(None));
        let mut second = &stream[1000..];
        assert_eq!(decoder.next(&mut second, MAX_FRAME_BYTES).unwrap().map(<[u8]>::len), Some(MAX_FRAME_BYTES));
        assert_eq!(decoder.next(&mut second, MAX_FRAME_BYTES), Ok(None));
        assert!(decoder.buffer.capacity() <= KEPT_CAPACITY_BYTES);
        let refused = encode(&vec![b' '; MAX_FRAME_BYTES + 1], &mut stream.clone()).unwrap_err();
        assert_eq!(refused.reason, Reason::FrameTooLarge);
        assert!(encode(b"", &mut stream).is_err());
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_frames(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..12),
            cuts in prop::collection::vec(any::<usize>(), 0..30),
        ) {
            let mut stream = Vec::new();
            for body in &bodies {
                encode(body, &mut stream).unwrap();
            }
            prop_assert_eq!(decode(&cut(&stream, &cuts), 64), (bodies.clone(), None));
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(decode(&bytes, 64), (bodies, None));
        }

        #[test]
        fn garbage_gives_frames_or_a_refusal_however_it_is_cut(
            stream in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..200),
            cuts in prop::collection::vec(any::<usize>(), 0..10),
        ) {
            prop_assert_eq!(decode(&[&stream], 48), decode(&cut(&stream, &cuts), 48));
        }
    }
}
