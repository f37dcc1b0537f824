//! A search finds what a look at every record finds, whatever it asks for together.

mod common;

use std::collections::BTreeSet;

use common::{ANN, BOB, Folder, ME, NOW, Said, key_of, node, record, says};
use covey_core::category::Category;
use covey_core::id::ContentKey;
use covey_store::{Lifecycle, Query, Store};
use proptest::prelude::*;

const WORDS: [&str; 3] = ["red", "blue", "green"];

#[derive(Clone, Debug)]
struct Plan {
    word: usize,
    author: u8,
    mood: bool,
    parent: Option<prop::sample::Index>,
}

struct Known {
    key: ContentKey,
    plan: Plan,
    stored_ms: u64,
    parent: Option<usize>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let author = prop::sample::select(vec![ANN, BOB]);
    let parent = prop::option::of(any::<prop::sample::Index>());
    (0..WORDS.len(), author, any::<bool>(), parent).prop_map(|(word, author, mood, parent)| Plan {
        word,
        author,
        mood,
        parent,
    })
}

fn fill(store: &Store, plans: Vec<Plan>) -> Vec<Known> {
    let mut known: Vec<Known> = Vec::new();
    for (number, plan) in plans.into_iter().enumerate() {
        let parent = plan.parent.filter(|_| number > 0).map(|index| index.index(number));
        let parents: Vec<ContentKey> = parent.iter().map(|place| known[*place].key).collect();
        let focus = format!("{} number{number}", WORDS[plan.word]);
        let mood = if plan.mood { "calm" } else { "" };
        let said = Said { focus: &focus, mood, parents: &parents, ..Said::default() };
        let signed = record(plan.author, &said);
        let stored_ms = NOW + 10 * number as u64;
        store.carry_in(&[&signed], stored_ms).unwrap();
        known.push(Known { key: key_of(&signed), plan, stored_ms, parent });
    }
    while store.index().unwrap() > 0 {}
    known
}

/// The places that a record's lineage leads through, upwards.
fn above(known: &[Known], place: usize) -> BTreeSet<usize> {
    std::iter::successors(known[place].parent, |at| known[*at].parent).collect()
}

fn expected(known: &[Known], query: &Query) -> Vec<ContentKey> {
    let place_of = |key: ContentKey| known.iter().position(|each| each.key == key).unwrap();
    let holds = |place: usize, each: &Known| {
        let remixed = known.iter().any(|other| other.parent == Some(place));
        query.text.split_whitespace().all(|word| WORDS[each.plan.word] == word)
            && query.category.is_none_or(|_| each.plan.mood)
            && query.author.is_none_or(|author| author == node(each.plan.author))
            && query.from_ms.is_none_or(|from| each.stored_ms >= from)
            && query.to_ms.is_none_or(|to| each.stored_ms < to)
            && query.lifecycle.is_none_or(|state| (state == Lifecycle::Remixed) == remixed)
            && query.below.is_none_or(|key| above(known, place).contains(&place_of(key)))
            && query.above.is_none_or(|key| above(known, place_of(key)).contains(&place))
    };
    let found = known.iter().enumerate().filter(|(place, each)| holds(*place, each));
    found.map(|(_, each)| each.key).rev().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_search_finds_what_a_look_at_everything_finds(
        plans in prop::collection::vec(plan(), 1..24),
        asks in prop::collection::vec(
            (
                prop::option::of(0..WORDS.len()), any::<bool>(), prop::option::of(prop::sample::select(vec![ANN, BOB])),
                prop::option::of(0_u64..24), prop::option::of(0_u64..24),
                prop::option::of(prop::sample::select(vec![Lifecycle::Observed, Lifecycle::Remixed])),
                prop::option::of(any::<prop::sample::Index>()), prop::option::of(any::<prop::sample::Index>()),
            ),
            12,
        ),
    ) {
        let folder = Folder::new();
        let store = folder.open();
        let known = fill(&store, plans);
        for (word, mood, author, from, to, lifecycle, below, above) in asks {
            let query = Query {
                text: word.map_or_else(String::new, |word| WORDS[word].to_owned()),
                category: (mood && word.is_none()).then_some(Category::Mood),
                author: author.map(node),
                from_ms: from.map(|tens| NOW + 10 * tens),
                to_ms: to.map(|tens| NOW + 10 * tens),
                lifecycle,
                below: below.map(|index| known[index.index(known.len())].key),
                above: above.map(|index| known[index.index(known.len())].key),
                ..Query::default()
            };
            let wanted = expected(&known, &query);
            for limit in [1_000, 3] {
                let found = store.find(&query, limit).unwrap();
                let mut keys: Vec<ContentKey> = found.hits.iter().map(|hit| hit.key).collect();
                prop_assert!(!found.capped);
                if limit < wanted.len() && word.is_some() {
                    // By relevance: which of them is not said here.
                    prop_assert_eq!(keys.len(), limit);
                    prop_assert!(keys.iter().all(|key| wanted.contains(key)));
                    continue;
                }
                let mut shown = wanted.iter().take(limit).copied().collect::<Vec<_>>();
                if word.is_some() {
                    keys.sort_unstable();
                    shown.sort_unstable();
                }
                prop_assert_eq!(keys, shown, "{:?}", query);
            }
        }
    }
}

#[test]
fn a_slice_that_gives_way_ends_after_a_few_and_goes_on_where_it_was() {
    let folder = Folder::new();
    let store = folder.open();
    for number in 0..40 {
        store.put_own(&says(ME, &format!("fox {number}")), NOW, &[]).unwrap();
    }
    let left = store.index_unless(64, || true).unwrap();
    assert!(0 < left && left < 40, "{left}: neither all nor none");
    let mut asked = 0;
    let second = || {
        asked += 1;
        asked > 1
    };
    let next = store.index_unless(64, second).unwrap();
    assert_eq!((left - next, asked), (2 * (40 - left), 2), "as many at each step");
    assert_eq!(store.index_unless(8, || false).unwrap(), next - 8, "no more than was asked");
    assert_eq!(store.index_unless(64, || false).unwrap(), 0);
    assert_eq!(store.recall("fox", 100).unwrap().hits.len(), 40);
    assert!(store.integrity().unwrap().is_empty());
}

#[test]
fn pieces_of_the_index_are_merged_a_little_at_a_time_and_hold_the_same() {
    let folder = Folder::new();
    let store = folder.open();
    let pieces = || -> i64 {
        let view = rusqlite::Connection::open(folder.file()).unwrap();
        view.query_row("SELECT count(DISTINCT segid) FROM recall_idx", [], |row| row.get(0)).unwrap()
    };
    let found = || store.recall("fox", 100).unwrap().hits.len();
    for number in 0..7 {
        store.put_own(&says(ME, &format!("fox {number}")), NOW, &[]).unwrap();
        store.index().unwrap();
    }
    assert!(!store.merge_some().unwrap(), "seven are not worth it");
    assert_eq!(pieces(), 7);
    store.put_own(&says(ME, "fox 7"), NOW, &[]).unwrap();
    store.index().unwrap();
    assert_eq!((pieces(), found()), (8, 8));
    let steps = (0..100).take_while(|_| store.merge_some().unwrap()).count();
    assert!((1..100).contains(&steps), "{steps}");
    assert_eq!((pieces(), found()), (1, 8));
    assert!(store.integrity().unwrap().is_empty());
}
