//! Budgets: counters that are never overspent, also while nobody can be reached (bounded counters by escrow).
//!
//! Whoever opens a budget may grant into it; what it grants are rights, its own at first. Every author has a row: what it
//! granted (the issuer only), what it spent, and what it gave to each other, all of which only grow. An author's rights
//! are what it granted and was given, less what it gave away and spent. It writes its own row only, and only within the
//! rights it knows of; rows of others can only add to these. So the sum of all rights stays what was granted less what was
//! spent, whoever is cut off from whom. An author that breaks this signs the proof of it: its rights are then negative
//! wherever all rows are known.

use std::collections::BTreeMap;

use crate::error::{Reason, Refusal};
use crate::id::NodeId;
use crate::limits::{MAX_CLOCK_ENTRIES, MAX_SAFE_INTEGER};
use crate::state::op::{self, Slot};
use crate::state::replica::Replica;
use crate::state::wire::{Reader, malformed, put_varint};

/// What one author says of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// All it granted; only the issuer may.
    pub granted: u64,
    /// All it spent.
    pub spent: u64,
    /// All it gave to each other author.
    pub given: BTreeMap<NodeId, u64>,
}

/// A budget as one replica knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// All that was granted.
    pub granted: u64,
    /// All that was spent.
    pub spent: u128,
    /// What each author may still spend or give; negative where it took what it had no right to, or where rows that
    /// gave to it are not here yet.
    pub rights: BTreeMap<NodeId, i128>,
}

impl Row {
    /// Read a row that `author` wrote of a budget of `issuer`.
    pub fn read(value: &[u8], issuer: NodeId, author: NodeId) -> Result<Self, Refusal> {
        let mut reader = Reader::new(value);
        let (granted, spent) = (reader.varint()?, reader.varint()?);
        if granted > 0 && issuer != author {
            return Err(malformed("a grant that is not its issuer's"));
        }
        let count = reader.count(MAX_CLOCK_ENTRIES, "authors of a budget")?;
        let mut given: BTreeMap<NodeId, u64> = BTreeMap::new();
        for _ in 0..count {
            let (to, amount) = (NodeId::from_bytes(reader.array()?), reader.varint()?);
            let late = given.last_key_value().is_none_or(|before| *before.0 < to);
            if amount == 0 || to == author || !late {
                return Err(malformed("a row of a budget that is not in order"));
            }
            given.insert(to, amount);
        }
        reader.finish()?;
        Ok(Self { granted, spent, given })
    }

    /// Write the packed form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.granted);
        put_varint(&mut out, self.spent);
        put_varint(&mut out, self.given.len() as u64);
        for (to, amount) in &self.given {
            out.extend_from_slice(to.as_bytes());
            put_varint(&mut out, *amount);
        }
        out
    }

    /// The greater of every number: rows only grow.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let mut given = self.given.clone();
        for (to, amount) in &other.given {
            let held = given.entry(*to).or_default();
            *held = (*held).max(*amount);
        }
        Self { granted: self.granted.max(other.granted), spent: self.spent.max(other.spent), given }
    }
}

/// One change of an own row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Grant more rights, to oneself.
    Grant(u64),
    /// Spend own rights.
    Spend(u64),
    /// Give own rights to another author.
    Give(NodeId, u64),
    /// Write a whole row again after starting anew.
    Row(Row),
}

impl Replica {
    /// Read a budget: what was granted and spent, and who may still spend what.
    pub fn budget(&self, name: &str, issuer: NodeId) -> Budget {
        let mut budget = Budget::default();
        for (author, row) in self.rows(name, issuer) {
            budget.granted = budget.granted.max(row.granted);
            budget.spent += u128::from(row.spent);
            *budget.rights.entry(author).or_default() += i128::from(row.granted) - i128::from(row.spent);
            for (to, amount) in row.given {
                *budget.rights.entry(to).or_default() += i128::from(amount);
                *budget.rights.entry(author).or_default() -= i128::from(amount);
            }
        }
        budget
    }

    /// What each author says of a budget, by author: what an account is settled against.
    pub fn budget_rows(&self, name: &str, issuer: NodeId) -> BTreeMap<NodeId, Row> {
        self.rows(name, issuer).collect()
    }

    /// Every budget that has a row, by name and issuer.
    pub fn budgets(&self) -> Vec<(String, NodeId)> {
        let mut found: Vec<(String, NodeId)> = self
            .shares_of(vec![op::BUDGET])
            .filter_map(|(slot, standing)| match Slot::read(standing.kind, slot) {
                Ok(Slot::Row(name, issuer, _)) => Some((name.to_owned(), issuer)),
                _ => None,
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The own row after a change, from `row` as it is now: refused where it would go beyond the rights.
    pub(super) fn changed(
        &self,
        name: &str,
        issuer: NodeId,
        row: Option<&[u8]>,
        change: &Change,
    ) -> Result<Row, Refusal> {
        let before = row.map_or(Ok(Row::default()), |value| Row::read(value, issuer, self.node))?;
        let mut after = before.clone();
        let grown = |held: u64, by: u64| match held.checked_add(by) {
            Some(sum) if sum <= MAX_SAFE_INTEGER => Ok(sum),
            _ => Err(Refusal::new(Reason::TooLarge, "state: budget: a row goes over 2^53 - 1")),
        };
        match change {
            Change::Grant(_) if issuer != self.node => {
                let detail = "state: budget: only the author that opened it may grant into it";
                return Err(Refusal::new(Reason::NotAuthorised, detail));
            }
            Change::Grant(amount) => after.granted = grown(after.granted, *amount)?,
            Change::Spend(amount) => {
                self.demand(name, issuer, &before, *amount)?;
                after.spent = grown(after.spent, *amount)?;
            }
            Change::Give(to, _) if *to == self.node => {
                return Err(Refusal::new(Reason::InvalidArgument, "state: budget: rights are given to another author"));
            }
            Change::Give(to, amount) => {
                self.demand(name, issuer, &before, *amount)?;
                let held = after.given.get(to).copied().unwrap_or(0);
                if *amount > 0 {
                    after.given.insert(*to, grown(held, *amount)?);
                }
            }
            Change::Row(row) => after = before.joined(row),
        }
        Ok(after)
    }

    /// Refuse an amount that is beyond the rights which are known here, with the own row as it is now.
    fn demand(&self, name: &str, issuer: NodeId, row: &Row, amount: u64) -> Result<(), Refusal> {
        let given = self.rows(name, issuer).filter(|(author, _)| *author != self.node);
        let had: u128 = given.map(|(_, other)| u128::from(other.given.get(&self.node).copied().unwrap_or(0))).sum();
        let gone: u128 = row.given.values().map(|amount| u128::from(*amount)).sum();
        // An honest row is within its rights; a dishonest one of our own key has none left.
        let rights = (had + u128::from(row.granted)).saturating_sub(gone + u128::from(row.spent));
        if u128::from(amount) <= rights {
            return Ok(());
        }
        let detail = format!("state: budget {name}: {rights} of it may be used here, {amount} were asked for");
        Err(Refusal::new(Reason::OverBudget, detail))
    }

    fn rows(&self, name: &str, issuer: NodeId) -> impl Iterator<Item = (NodeId, Row)> {
        self.shares_of(op::budget_prefix(name, issuer)).filter_map(move |(slot, standing)| {
            let Ok(Slot::Row(_, _, author)) = Slot::read(standing.kind, slot) else { return None };
            Row::read(standing.value, issuer, author).ok().map(|row| (author, row))
        })
    }
}
