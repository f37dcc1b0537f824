//! Properties: a reopened store is equal, recall finds what was stored, lineage reads the same from both ends.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{ANN, BOB, Folder, ME, NOW, Said, hear, key_of, open_minded, record};
use covey_core::id::ContentKey;
use covey_core::record::Verified;
use covey_store::{Filter, Lifecycle, Store};
use proptest::prelude::*;

/// One block of a history: who says what, which earlier blocks it builds on, and whether it is for us.
#[derive(Debug, Clone)]
struct Step {
    who: u8,
    text: String,
    parents: Vec<usize>,
    directed: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = prop_oneof!["[a-z]{1,8}( [a-z]{1,8}){0,4}", "\\PC{1,24}", any::<String>()];
    let step = (prop::sample::select(vec![ME, ANN, BOB]), text, prop::collection::vec(0..8_usize, 0..3), any::<bool>())
        .prop_map(|(who, text, parents, directed)| Step { who, text, parents, directed: directed && who != ME });
    prop::collection::vec(step, 1..12)
}

/// Writes a history down and returns its distinct records, in order.
fn play(store: &Store, steps: &[Step]) -> Vec<Verified> {
    let mut intake = open_minded();
    let mut held: Vec<Verified> = Vec::new();
    for step in steps {
        let parents: Vec<ContentKey> = step.parents.iter().filter_map(|at| held.get(*at)).map(key_of).collect();
        let said = Said {
            focus: &step.text,
            parents: &parents,
            category_parents: &parents[..parents.len().min(1)],
            to: step.directed.then_some(ME),
            ..Said::default()
        };
        let made = record(step.who, &said);
        if held.iter().any(|earlier| key_of(earlier) == key_of(&made)) {
            continue;
        }
        if step.who == ME {
            assert!(store.put_own(&made, NOW, &[]).unwrap());
            intake.admit_own(&made, NOW);
        } else {
            let report = store.commit(&[&hear(&mut intake, std::slice::from_ref(&made))], NOW).unwrap();
            assert_eq!(report.stored, 1);
        }
        held.push(made);
    }
    held
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_reopened_store_is_equal(steps in steps()) {
        let folder = Folder::new();
        let store = folder.open();
        play(&store, &steps);
        let all = |store: &Store| {
            (
                store.recent(100, &Filter::default()).unwrap(),
                store.inbox(0, 100).unwrap(),
                store.decisions(100, None).unwrap(),
                store.outbox(100, None).unwrap(),
            )
        };
        let before = all(&store);
        store.close().unwrap();
        prop_assert_eq!(all(&folder.open()), before);
    }

    #[test]
    fn recall_finds_what_was_stored(steps in steps()) {
        let folder = Folder::new();
        let store = folder.open();
        for made in play(&store, &steps) {
            let text = made.record().texts()[0].to_owned();
            for word in text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)) {
                // A word of marks only is none for the index, and then the newest are listed.
                let plain = word.chars().any(|character| character.is_ascii_alphanumeric());
                let found = store.recall(word, 100).unwrap();
                prop_assert!(!plain || found.hits.iter().any(|held| held.key == key_of(&made)), "{:?} in {:?}", word, text);
            }
        }
    }

    #[test]
    fn any_query_gives_an_answer(query in any::<String>()) {
        let folder = Folder::new();
        let store = folder.open();
        store.put_own(&record(ME, &Said { focus: &query, ..Said::default() }), NOW, &[]).unwrap();
        prop_assert!(store.recall(&query, 5).unwrap().hits.len() <= 1);
    }

    #[test]
    fn lineage_reads_the_same_from_both_ends(steps in steps()) {
        let folder = Folder::new();
        let store = folder.open();
        let records = play(&store, &steps);
        let mut children: BTreeMap<ContentKey, BTreeSet<ContentKey>> = BTreeMap::new();
        for made in &records {
            let named: BTreeSet<_> = made.record().metadata.parents.iter().copied().collect();
            let edges: BTreeSet<_> = store.parents(key_of(made)).unwrap().iter().map(|edge| edge.parent).collect();
            prop_assert_eq!(&edges, &named);
            for parent in named {
                children.entry(parent).or_default().insert(key_of(made));
            }
        }
        for made in &records {
            let expected = children.remove(&key_of(made)).unwrap_or_default();
            let found: BTreeSet<_> = store.children(key_of(made)).unwrap().into_iter().collect();
            let lifecycle = store.record(key_of(made)).unwrap().unwrap().lifecycle;
            prop_assert_eq!(lifecycle == Lifecycle::Remixed, !expected.is_empty());
            prop_assert_eq!(found, expected);
        }
    }
}
