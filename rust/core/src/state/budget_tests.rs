//! Laws of budgets: nobody spends what is not there, whoever is cut off from whom; and who does is named.

use proptest::prelude::*;

use super::tests::{NOW, checked, key, node, replica, sync};
use super::*;
use crate::error::Reason;

const NODES: u8 = 4;
const NAME: &str = "tokens";

fn change(change: Change) -> Write {
    Write::Budget(NAME.to_owned(), node(0), change)
}

#[derive(Clone, Debug)]
enum Step {
    Write(u8, Change),
    Sync(u8, u8),
    /// A push that was under way arrives, at anybody, at any time.
    Push(prop::sample::Index, u8),
    /// One starts anew from a snapshot of another.
    Reset(u8, u8),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (1..60u64).prop_map(|amount| Step::Write(0, Change::Grant(amount))),
        5 => (0..NODES, 1..40u64).prop_map(|(at, amount)| Step::Write(at, Change::Spend(amount))),
        3 => (0..NODES, 0..NODES, 1..40u64).prop_map(|(at, to, amount)| Step::Write(at, Change::Give(node(to), amount))),
        4 => (0..NODES, 0..NODES).prop_map(|(from, to)| Step::Sync(from, to)),
        3 => (any::<prop::sample::Index>(), 0..NODES).prop_map(|(push, to)| Step::Push(push, to)),
        1 => (0..NODES, 0..NODES).prop_map(|(from, to)| Step::Reset(from, to)),
    ]
}

struct World {
    replicas: Vec<Replica>,
    log: Vec<Vec<u8>>,
    granted: u64,
    spent: u64,
}

impl World {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Write(at, wish) => {
                let replica = &mut self.replicas[usize::from(*at)];
                match replica.commit(&[change(wish.clone())], NOW, &key(*at)) {
                    Ok(delta) => {
                        self.log.push(delta);
                        self.granted += if let Change::Grant(amount) = wish { *amount } else { 0 };
                        self.spent += if let Change::Spend(amount) = wish { *amount } else { 0 };
                    }
                    Err(refusal) => {
                        assert!(matches!(refusal.reason, Reason::OverBudget | Reason::InvalidArgument), "{refusal:?}");
                    }
                }
            }
            Step::Sync(from, to) if from != to => {
                let mut teller = self.replicas[usize::from(*from)].clone();
                sync(&mut teller, &mut self.replicas[usize::from(*to)]);
            }
            Step::Push(push, to) if !self.log.is_empty() => {
                let delta = &self.log[push.index(self.log.len())];
                self.replicas[usize::from(*to)].merge(delta, checked()).unwrap();
            }
            Step::Reset(from, to) if from != to => {
                let snapshot = self.replicas[usize::from(*from)].snapshot().unwrap();
                let delta = self.replicas[usize::from(*to)].reset(&snapshot, checked(), NOW, &key(*to)).unwrap();
                if !delta.is_empty() {
                    self.log.push(delta);
                }
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_budget_is_never_overspent_whoever_is_cut_off(steps in prop::collection::vec(any_step(), 1..60)) {
        let replicas: Vec<Replica> = (0..NODES).map(replica).collect();
        let mut world = World { replicas, log: Vec::new(), granted: 0, spent: 0 };
        for step in &steps {
            world.step(step);
            prop_assert!(world.spent <= world.granted, "{} spent of {}", world.spent, world.granted);
        }
        for _ in 0..2 {
            for (from, to) in (0..NODES).flat_map(|from| (0..NODES).map(move |to| (from, to))) {
                world.step(&Step::Sync(from, to));
            }
        }
        for replica in &world.replicas {
            let budget = replica.budget(NAME, node(0));
            prop_assert_eq!(&budget, &world.replicas[0].budget(NAME, node(0)));
            prop_assert_eq!((budget.granted, budget.spent), (world.granted, u128::from(world.spent)));
            prop_assert!(budget.rights.values().all(|rights| *rights >= 0), "{:?}", budget.rights);
            let left: i128 = budget.rights.values().sum();
            prop_assert_eq!(left, i128::from(world.granted - world.spent));
        }
    }
}

#[test]
fn who_spends_what_it_has_no_right_to_signs_the_proof() {
    let (mut honest, mut other, mut thief) = (replica(0), replica(1), replica(1));
    honest.commit(&[change(Change::Grant(10)), change(Change::Give(node(1), 4))], NOW, &key(0)).unwrap();
    sync(&mut honest, &mut other);
    assert_eq!(other.commit(&[change(Change::Spend(5))], NOW, &key(1)).unwrap_err().reason, Reason::OverBudget);
    other.commit(&[change(Change::Spend(4))], NOW, &key(1)).unwrap();
    // Another program under the same key, that knows no law.
    let row = Row { spent: 9, ..Row::default() };
    let forged = thief.commit(&[change(Change::Row(row))], NOW, &key(1)).unwrap();
    honest.merge(&forged, checked()).unwrap();
    let budget = honest.budget(NAME, node(0));
    assert_eq!((budget.rights[&node(0)], budget.rights[&node(1)]), (6, -5));
    assert_eq!(honest.budgets(), vec![(NAME.to_owned(), node(0))]);
}

#[test]
fn only_its_issuer_grants_and_only_oneself_writes_ones_row() {
    let mut other = replica(1);
    let refused = other.commit(&[change(Change::Grant(1))], NOW, &key(1)).unwrap_err();
    assert_eq!(refused.reason, Reason::NotAuthorised);
    let row = Row { granted: 7, ..Row::default() };
    let made = other.commit(&[change(Change::Row(row))], NOW, &key(1));
    let refused = made.and_then(|delta| replica(2).merge(&delta, checked())).unwrap_err();
    assert_eq!(refused.reason, Reason::MalformedState);
    let same = Write::Budget(NAME.to_owned(), node(1), Change::Give(node(1), 1));
    assert_eq!(replica(1).commit(&[same], NOW, &key(1)).unwrap_err().reason, Reason::InvalidArgument);
}
