//! No word of a text costs an allocation, whichever encoder reads it. It is counted here because an allocator is unsafe
//! code, which no other crate may hold.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use covey_core::encoder::words::{self, Spelling};
use covey_core::encoder::{Encoder, Table};

/// The system's allocator, which counts what this thread asks of it; tests run side by side.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and is not measured.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

// SAFETY: every call goes on to the system's allocator with what it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is the one asked for here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: `place` came from `alloc` or `realloc` above, so from the system's allocator, with this layout.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as in `dealloc`; the caller's promise about `size` is the one asked for here.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Words that are known whole, in pieces and not at all, and words that only bind others.
const WORDS: [&str; 8] = ["playing", "the", "unplayed", "cat", "strangers", "Player", "dogs", "qui"];
const PIECES: [&str; 12] =
    ["play", "un", "cat", "d", "##ing", "##play", "##ed", "##er", "##o", "##g", "##s", "strangers"];

fn table() -> Encoder {
    let rows = vec![1_u8; PIECES.len() * 4 * 2];
    let header =
        format!(r#"{{"embeddings":{{"dtype":"F32","shape":[{},2],"data_offsets":[0,{}]}}}}"#, PIECES.len(), rows.len());
    let matrix = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &rows].concat();
    let places: Vec<String> = PIECES.iter().enumerate().map(|(row, piece)| format!(r#""{piece}":{row}"#)).collect();
    let tokenizer = format!(
        r#"{{"normalizer":{{"type":"Lowercase"}},"model":{{"type":"WordPiece","vocab":{{{}}}}}}}"#,
        places.join(",")
    );
    Encoder::Table(Arc::new(Table::read(&matrix, tokenizer.as_bytes()).expect("a table")))
}

fn text(words: usize) -> String {
    WORDS.iter().cycle().take(words).copied().collect::<Vec<_>>().join(" ")
}

fn asked(work: impl FnOnce()) -> usize {
    let before = ASKED.get();
    work();
    ASKED.get() - before
}

/// How often an encoder asks for memory to read a text of 8, of 80 and of 800 words.
fn of_encoder(encoder: &Encoder) -> [usize; 3] {
    let mut sums = vec![0.0; encoder.dimensions()];
    [8, 80, 800].map(text).map(|text| asked(|| encoder.add(&text, &mut sums)))
}

#[test]
fn what_is_counted_is_every_call() {
    assert_eq!(asked(|| drop(vec![Box::new(1), Box::new(2)])), 3);
    let mut grows: Vec<u8> = Vec::with_capacity(1);
    assert_eq!(asked(|| grows.extend([0; 64])), 1);
}

#[test]
fn no_encoder_allocates_for_a_word() {
    let read = |text: String| {
        let mut spelling = Spelling::default();
        asked(|| words::each(&text, &mut spelling, |_, _| {}))
    };
    read(text(8)); // the first reading of a process makes the list of known words
    let found = [[8, 80, 800].map(text).map(read), of_encoder(&Encoder::Ngram), of_encoder(&Encoder::Lexis)];
    // `lexis`: its letters and where words stand. A table: the text in small letters, and a word's rows.
    assert_eq!((found, of_encoder(&table())), ([[0; 3], [0; 3], [2; 3]], [2; 3]));
}
