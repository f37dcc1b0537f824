//! The statements a node holds under one pin: what is offered is judged once, what is held resolves at any time.
//!
//! Rules: a statement is held only when it holds; what names a grant that is not held is given back, and waits with
//! whoever offered it. Holding is bounded; what counts most is dropped last (§6.6.8, errata 1).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::Quotas;
use super::judge::{Valid, judge, price};
use super::pin::AnchorPin;
use super::resolution::{Place, Resolution};
use super::statement::{Act, Source, Statement, schema};
use crate::error::{Reason, Refusal};
use crate::id::StatementId;
use crate::limits::MAX_DELEGATION_DEPTH;

/// What became of an offered statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It holds, and was not held before.
    New,
    /// It was held before; nothing was checked.
    Known,
    /// It names this grant, which is not held; nothing was checked.
    Missing(StatementId),
}

/// A node's statements and their resolution.
#[derive(Clone, Debug)]
pub struct Ledger {
    pin: AnchorPin,
    quotas: Quotas,
    capacity: usize,
    held: BTreeMap<StatementId, Valid>,
    resolution: Resolution,
    stale: bool,
    /// What was in force when news were last asked for.
    told: BTreeSet<StatementId>,
}

impl Ledger {
    /// Hold nothing yet, and at most `capacity` statements but for those that must never be dropped.
    pub fn new(pin: AnchorPin, quotas: Quotas, capacity: usize) -> Self {
        let held = BTreeMap::new();
        let resolution = Resolution::of(&pin, &held, quotas);
        Self { pin, quotas, capacity, held, resolution, stale: false, told: BTreeSet::new() }
    }

    /// The pin everything is judged under.
    pub const fn pin(&self) -> &AnchorPin {
        &self.pin
    }

    /// How many statements are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Say whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// A held statement.
    pub fn get(&self, id: StatementId) -> Option<&Statement> {
        self.held.get(&id).map(Valid::statement)
    }

    /// The held statements, by id.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.held.values().map(Valid::statement)
    }

    /// The most that offering this statement costs now, in signature checks. What is known or misses its grant is free.
    pub fn price(&self, statement: &Statement) -> u32 {
        match self.missing(statement) {
            Err(_) => 0,
            Ok(_) => price(&self.pin, statement),
        }
    }

    /// Judge a statement, and hold it if it holds.
    ///
    /// # Errors
    /// It does not hold under this pin, whatever else is or will be held; or there is no room for it.
    pub fn offer(&mut self, statement: Statement) -> Result<Offered, Refusal> {
        let valid = match self.missing(&statement) {
            Err(told) => return Ok(told),
            Ok(parent) => judge(&self.pin, statement, parent)?,
        };
        if self.held.len() >= self.capacity {
            self.make_room(&valid)?;
        }
        self.held.insert(valid.statement().id(), valid);
        self.stale = true;
        Ok(Offered::New)
    }

    /// The grant a statement names, where it needs to be judged and can be.
    fn missing(&self, statement: &Statement) -> Result<Option<&Valid>, Offered> {
        if self.held.contains_key(&statement.id()) {
            return Err(Offered::Known);
        }
        match statement.source() {
            Source::Anchor => Ok(None),
            Source::Grant(above) => self.held.get(&above).map(Some).ok_or(Offered::Missing(above)),
        }
    }

    /// What the held statements amount to. Resolved when it is asked for, once per change.
    pub fn resolution(&mut self) -> &Resolution {
        if self.stale {
            self.resolution = Resolution::of(&self.pin, &self.held, self.quotas);
            self.stale = false;
        }
        &self.resolution
    }

    /// What came into force since news were last asked for, in the order of sending. What leaves force and comes back
    /// is news again: whoever missed the way there needs it then.
    pub fn news(&mut self) -> Vec<&Statement> {
        self.resolution();
        let in_force: BTreeSet<StatementId> = self.resolution.in_force().map(|(id, _)| id).collect();
        let entered =
            self.resolution.live().iter().filter(|(_, _, id)| in_force.contains(id) && !self.told.contains(id));
        let entered: Vec<StatementId> = entered.map(|(_, _, id)| *id).collect();
        self.told = in_force;
        entered.iter().filter_map(|id| self.get(*id)).collect()
    }

    /// Judge what a disk kept, in any order: each under the id it was kept with. Nothing a disk says of a statement is
    /// believed.
    ///
    /// Returns what does not hold now, by position, and why. What waits for a grant that was not kept is among it.
    pub fn restore(&mut self, kept: Vec<(String, Vec<u8>)>) -> Vec<(usize, Refusal)> {
        let mut refused = Vec::new();
        let mut waiting = Vec::new();
        for (position, (id, json)) in kept.into_iter().enumerate() {
            match Statement::parse(&json) {
                Ok(statement) if statement.id().to_string() == id => waiting.push((position, statement)),
                Ok(_) => refused.push((position, schema("not the statement its id names"))),
                Err(refusal) => refused.push((position, refusal)),
            }
        }
        // Each round holds at least one level of the chains more; there are no more levels than delegation reaches.
        for _ in 0..MAX_DELEGATION_DEPTH {
            for (position, statement) in std::mem::take(&mut waiting) {
                match self.offer(statement.clone()) {
                    Ok(Offered::New | Offered::Known) => {}
                    Ok(Offered::Missing(_)) => waiting.push((position, statement)),
                    Err(refusal) => refused.push((position, refusal)),
                }
            }
        }
        let missing = |(position, _)| {
            (position, Refusal::new(Reason::NotAuthorised, "authority statement: its grant is not held"))
        };
        refused.extend(waiting.into_iter().map(missing));
        refused.sort_by_key(|(position, _)| *position);
        refused
    }

    /// Up to `most` live statements after `cursor` in the order of sending, and the cursor to go on from, if there are
    /// more. An empty cursor is the start.
    ///
    /// # Errors
    /// The cursor is none that this build gave.
    pub fn page(&mut self, cursor: &str, most: usize) -> Result<(Vec<&Statement>, Option<String>), Refusal> {
        let from = read_cursor(cursor)?.map_or(Bound::Unbounded, Bound::Excluded);
        let mut places = self.resolution().live().range((from, Bound::Unbounded)).copied();
        let page: Vec<Place> = places.by_ref().take(most).collect();
        let next = if places.next().is_some() { page.last().map(write_cursor) } else { None };
        Ok((page.iter().filter_map(|(_, _, id)| self.get(*id)).collect(), next))
    }

    /// Drop what counts least: first all that is not live, then live statements from the far end of the sending order.
    /// Revokes in force and what the anchor signed in force stay: forgetting one would undo a removal.
    fn make_room(&mut self, incoming: &Valid) -> Result<(), Refusal> {
        let live: Vec<Place> = self.resolution().live().iter().copied().collect();
        let wanted = self.capacity - self.capacity.div_ceil(64);
        let mut kept: BTreeMap<StatementId, Valid> =
            live.iter().filter_map(|(_, _, id)| self.held.remove_entry(id)).collect();
        for (_, _, id) in live.iter().rev() {
            if kept.len() <= wanted {
                break;
            }
            if !kept.get(id).is_some_and(is_protected) {
                kept.remove(id);
            }
        }
        self.held = kept;
        self.stale = true;
        let orphaned = incoming.chain().iter().any(|above| !self.held.contains_key(above));
        if orphaned || (self.held.len() >= self.capacity && !is_protected(incoming)) {
            return Err(Refusal::new(Reason::TooLarge, "authority statement: no room for another one"));
        }
        Ok(())
    }
}

fn is_protected(entry: &Valid) -> bool {
    entry.depth() == 1 || matches!(entry.statement().act(), Act::Revoke(_))
}

fn write_cursor((depth, grants, id): &Place) -> String {
    format!("{depth}.{}.{id}", u8::from(*grants))
}

fn read_cursor(cursor: &str) -> Result<Option<Place>, Refusal> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let mut parts = cursor.splitn(3, '.');
    let place = (|| {
        let depth = parts.next()?.parse().ok()?;
        let grants = match parts.next()? {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        Some((depth, grants, StatementId::parse(parts.next()?).ok()?))
    })();
    place.map(Some).ok_or_else(|| schema("after: no cursor of this node"))
}
