//! The search among candidates and the meeting of two blocks, each held against its definition: compare all, word by word.

use super::among::{Known, compared_all, known as among};
use super::meeting::{CHANGED, Likes, Newcomer, SAME, TURNED, share};
use super::words::{Said, Words};
use crate::category::COUNT;
use crate::encoder::words::Kind;
use crate::id::NodeId;
use proptest::prelude::*;

const SPOKEN: [&str; 44] = [
    "parser",
    "parsers",
    "parsing",
    "frame",
    "frames",
    "framed",
    "buffer",
    "burst",
    "connect",
    "connection",
    "connected",
    "connector",
    "release",
    "branch",
    "migration",
    "migrate",
    "choir",
    "sunday",
    "walrus",
    "harbour",
    "token",
    "cheap",
    "the",
    "of",
    "and",
    "this",
    "about",
    "not",
    "never",
    "without",
    "first",
    "time",
    "times",
    "send",
    "keep",
    "two",
    "42",
    "seventeen",
    "17",
    "monday",
    "report",
    "reports",
    "x",
    "données",
];

const STRENGTHS: [u32; 10] = [0, 1, 2, 50, 80, 80, 93, 97, 100, 100];

fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(SPOKEN.to_vec()).prop_map(str::to_owned);
    let other = (0..400_u32).prop_map(|number| format!("w{}q", number * number));
    let figure = (0..30_u32).prop_map(|number| number.to_string());
    let words = prop::collection::vec(prop_oneof![6 => word, 2 => other, 1 => figure], 0..9);
    prop_oneof![1 => Just("neutral".to_owned()), 4 => words.prop_map(|words| words.join(" "))]
}

fn block() -> impl Strategy<Value = Words> {
    let several = prop::array::uniform7(text());
    let one = (0..COUNT, text()).prop_map(|(category, text)| {
        let mut texts: [String; COUNT] = Default::default();
        texts[category] = text;
        texts
    });
    // As agents write: one pattern, of which a word or a figure differs.
    let pattern = (0..3_u32, 0..9_u32, 0..2_usize).prop_map(|(subject, number, turned)| {
        let not = ["", "not "][turned];
        let mut texts: [String; COUNT] = Default::default();
        texts[0] = format!("the w{subject}q drops frames (report {number})");
        texts[1] = format!("frames are {not}lost, seen {} times", number % 3);
        texts[2] = format!("look at the w{subject}q first");
        texts[6] = "calm".to_owned();
        texts
    });
    prop_oneof![several, one, pattern].prop_map(|texts| Words::of_texts(texts.each_ref().map(String::as_str)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn leaving_candidates_out_changes_nothing(
        incoming in block(),
        held in prop::collection::vec((block(), prop::sample::select(STRENGTHS.to_vec()), 0..4_u8), 0..40),
        alone: bool,
        repeat: bool, even: bool, counted: u8,
    ) {
        let mut held = held;
        if repeat {
            held.push((incoming.clone(), 80, 1));
        }
        if even {
            for (_, strength, _) in &mut held {
                *strength = 99;
            }
        }
        let counts = incoming.about & counted;
        let author = |number: u8| NodeId::from_bytes([if alone { 0 } else { number }; 16]);
        let candidates = || {
            let places = held.iter().enumerate();
            places.map(|(place, (words, strength, number))| (words, place, *strength, author(*number)))
        };
        let (found, all) = (among(&incoming, counts, candidates()), compared_all(&incoming, counts, candidates()));
        prop_assert_eq!(found.nearest, all.nearest);
        prop_assert_eq!(found.kinship.evidence(&incoming, counts), all.kinship.evidence(&incoming, counts));
        let known = |known: &Known| known.kinship.known(&incoming).map(f64::to_bits);
        prop_assert_eq!(known(&found), known(&all));
        prop_assert!((found.kinship.most(&incoming, counts) - all.kinship.most(&incoming, counts)).abs() < f64::EPSILON);
    }

    /// A decision follows from whole sums and from bounds that are read in one fixed order: whichever block is asked first,
    /// and so however it is taken by a machine or cut into batches, every number is the same to the last bit.
    #[test]
    fn the_order_in_which_blocks_are_asked_changes_no_bit(
        incoming in block(),
        held in prop::collection::vec((block(), prop::sample::select(STRENGTHS.to_vec()), 0..4_u8), 0..30),
        turn in 0..30_usize,
    ) {
        let ask = |order: &[usize]| {
            let each = order.iter().map(|place| (&held[*place], *place));
            let asked = each.map(|((words, strength, by), place)| (words, place, *strength, NodeId::from_bytes([*by; 16])));
            let known = among(&incoming, incoming.about, asked);
            let evidence = known.kinship.evidence(&incoming, incoming.about);
            let nearest = known.nearest.map(|nearest| nearest.map(|(like, place)| (like.to_bits(), place)));
            (nearest, evidence.counts.map(f64::to_bits), known.kinship.known(&incoming).map(f64::to_bits))
        };
        let mut order: Vec<usize> = (0..held.len()).collect();
        let found = ask(&order);
        order.rotate_left(turn.min(held.len()));
        prop_assert_eq!(&ask(&order), &found);
        order.reverse();
        prop_assert_eq!(&ask(&order), &found);
    }

    #[test]
    fn two_blocks_meet_word_by_word(incoming in block(), held in block(), counted: u8) {
        let counts = incoming.about & counted;
        let (newcomer, mut likes) = (Newcomer::of(&incoming, counts), Likes::new());
        // Met twice: nothing is left of one block when the next one is met.
        newcomer.meet(&incoming, &mut likes);
        let shared = newcomer.meet(&held, &mut likes);
        let plain = Plain::of(&incoming, counts, &held);
        prop_assert_eq!(&likes.values()[..plain.likes.len()], &plain.likes[..]);
        prop_assert_eq!((shared.content, shared.common), (plain.content, plain.common));
        prop_assert_eq!(shared.met_share(&held), plain.met.checked_div(plain.theirs).unwrap_or(0));
        prop_assert_eq!(newcomer.likeness(&held, &shared).to_bits(), plain.likeness().to_bits());
        for (category, (found, each)) in plain.each.iter().enumerate() {
            prop_assert_eq!(newcomer.of_category(&shared, category).to_bits(), share(*found, *each).to_bits());
        }
    }
}

/// What a newcomer shares with a held block, by definition.
#[derive(Default)]
struct Plain {
    likes: Vec<u8>,
    mine: u32,
    found: u32,
    each: [(u32, u32); COUNT],
    theirs: u32,
    met: u32,
    content: u32,
    common: u32,
    figures: [bool; 2],
    negated: [bool; 2],
}

impl Plain {
    fn of(incoming: &Words, counts: u8, held: &Words) -> Self {
        let mut plain = Self::default();
        for word in &incoming.said {
            let like = likest(*word, &held.said);
            plain.likes.push(u8::try_from(like).unwrap());
            for (category, (found, each)) in plain.each.iter_mut().enumerate() {
                if word.places >> category & 1 == 1 {
                    *each += word.weight();
                    *found += word.weight() * like;
                }
            }
            if word.places & counts != 0 {
                plain.mine += word.weight();
                plain.found += word.weight() * like;
                plain.content += if word.is(Kind::Content) { like } else { 0 };
                plain.common += if word.is(Kind::Common) || word.is(Kind::Figure) { like } else { 0 };
                plain.figures[0] |= word.is(Kind::Figure) && like < SAME;
                plain.negated[0] |= word.is(Kind::Negation);
            }
        }
        for word in held.said.iter().filter(|word| word.places & held.about != 0) {
            let like = likest(*word, &incoming.said);
            plain.theirs += word.weight();
            plain.met += word.weight() * like;
            plain.figures[1] |= word.is(Kind::Figure) && like < SAME;
            plain.negated[1] |= word.is(Kind::Negation);
        }
        plain
    }

    fn likeness(&self) -> f64 {
        let like = share(self.found, self.mine).min(share(self.met, self.theirs));
        let turned = self.negated[0] != self.negated[1] && like > TURNED;
        if self.figures[0] && self.figures[1] || turned { like.min(CHANGED) } else { like }
    }
}

fn likest(word: Said, others: &[Said]) -> u32 {
    let forms = others.iter().filter(|other| other.head() == word.head());
    forms.map(|other| if other.stem() == word.stem() { SAME } else { 85 }).max().unwrap_or(0)
}
