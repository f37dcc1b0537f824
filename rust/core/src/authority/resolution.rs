//! What a set of statements amounts to: who may do what, and the root that two nodes compare (MMP 2.0 §6.6.7, §6.6.9).

use std::collections::{BTreeMap, BTreeSet};

use super::Quotas;
use super::judge::{Valid, judge};
use super::pin::AnchorPin;
use super::role::{Reach, Role, Scope};
use super::settle::{Standing, settle};
use super::statement::{Source, Statement};
use crate::hash::{Digest, sha256};
use crate::id::{NodeId, StatementId};
use crate::identity::PublicKey;
use crate::limits::MAX_DELEGATION_DEPTH;
use crate::netstring::Writer;

const ROOT_DOMAIN: &str = "mmp-authority-root-v1\n";

/// A role somebody holds; no role is the anchor itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The role, or `None` for the anchor.
    pub role: Option<Role>,
    /// Where it holds; `None` is the whole mesh.
    pub scope: Option<Scope>,
}

impl Held {
    /// The role's token; `anchor` for the anchor.
    pub fn word(&self) -> &str {
        self.role.as_ref().map_or("anchor", Role::as_str)
    }

    fn order(&self) -> (&str, Option<&Scope>) {
        (self.word(), self.scope.as_ref())
    }
}

/// The place of a live statement among what a node sends: depth, removals before grants, id (§6.6.8). Each comes after
/// everything that can change its standing.
pub type Place = (usize, bool, StatementId);

/// What a set of statements amounts to under a pin.
#[derive(Clone, Debug)]
pub struct Resolution {
    standing: BTreeMap<StatementId, Standing>,
    kept_by: BTreeMap<StatementId, Source>,
    live: BTreeSet<Place>,
    roles: BTreeMap<(NodeId, [u8; 32]), Vec<Held>>,
    root: Digest,
}

impl Resolution {
    pub(super) fn of(pin: &AnchorPin, valid: &BTreeMap<StatementId, Valid>, quotas: Quotas) -> Self {
        let settled = settle(valid, quotas);
        let in_force = || settled.kept_by.keys().filter_map(|id| valid.get(id));
        let mut roles: BTreeMap<(NodeId, [u8; 32]), Vec<Held>> = BTreeMap::new();
        for grant in in_force().filter_map(|entry| entry.statement().grant()) {
            let held = Held { role: Some(grant.role.clone()), scope: grant.scope.clone() };
            roles.entry((grant.node_id, grant.key)).or_default().push(held);
        }
        for holder in pin.holders() {
            roles.entry(holder).or_default().push(Held { role: None, scope: None });
        }
        for held in roles.values_mut() {
            held.sort_by(|left, right| left.order().cmp(&right.order()));
        }
        let live = in_force()
            .flat_map(|entry| entry.chain().iter().filter_map(|id| valid.get(id)).chain([entry]))
            .map(place)
            .collect();
        let root = root(pin, settled.kept_by.keys());
        Self { standing: settled.standing, kept_by: settled.kept_by, live, roles, root }
    }

    /// What became of a statement; `None` when it was never seen.
    pub fn standing(&self, id: StatementId) -> Option<Standing> {
        self.standing.get(&id).copied()
    }

    /// What became of every statement, by id.
    pub fn standings(&self) -> impl Iterator<Item = (StatementId, Standing)> + '_ {
        self.standing.iter().map(|(id, standing)| (*id, *standing))
    }

    /// The statements in force, by id, each with the source whose quota keeps it.
    pub fn in_force(&self) -> impl ExactSizeIterator<Item = (StatementId, Source)> + '_ {
        self.kept_by.iter().map(|(id, source)| (*id, *source))
    }

    /// The statements another node needs to reach the same result, in the order to send them.
    pub const fn live(&self) -> &BTreeSet<Place> {
        &self.live
    }

    /// The digest over the pin and what is in force: equal roots, equal authority.
    pub const fn root(&self) -> &Digest {
        &self.root
    }

    /// The roles of a node under a key. A role belongs to both together.
    pub fn roles(&self, node_id: NodeId, key: &[u8; 32]) -> &[Held] {
        self.roles.get(&(node_id, *key)).map_or(&[], Vec::as_slice)
    }

    /// Everybody who holds a role.
    pub fn holders(&self) -> impl Iterator<Item = (NodeId, &[u8; 32], &[Held])> {
        self.roles.iter().map(|((node_id, key), held)| (*node_id, key, held.as_slice()))
    }

    /// How far a node may move a record that lies `inside` these scopes (§3.5). A scope nobody here implements
    /// contains nothing.
    pub fn reach(&self, node_id: NodeId, key: &[u8; 32], inside: impl Fn(&Scope) -> bool) -> Reach {
        let counts = self.roles(node_id, key).iter().filter(|held| held.scope.as_ref().is_none_or(&inside));
        counts.map(|held| Reach::of(held.role.as_ref())).max().unwrap_or(Reach::Nothing)
    }
}

/// Resolve any collection of statements, in any order, copies included (§6.6.4). Every signature is checked.
pub fn resolve(pin: &AnchorPin, statements: impl IntoIterator<Item = Statement>, quotas: Quotas) -> Resolution {
    let mut copies: BTreeMap<StatementId, Vec<Statement>> = BTreeMap::new();
    let (mut valid, mut standing) = (BTreeMap::new(), BTreeMap::new());
    for statement in statements {
        // A grant on a key that cannot sign is no statement at all, so what hangs from it waits for ever.
        if statement.grant().is_some_and(|grant| PublicKey::from_bytes(grant.key).is_err()) {
            standing.insert(statement.id(), Standing::Invalid);
        } else {
            copies.entry(statement.id()).or_default().push(statement);
        }
    }
    for same in copies.values_mut() {
        same.sort_by(|left, right| left.signatures().cmp(right.signatures()));
    }
    for id in copies.keys() {
        let Some(path) = path_to_anchor(&copies, *id) else {
            standing.insert(*id, Standing::Pending);
            continue;
        };
        for id in path.iter().rev() {
            judge_copies(pin, &copies, *id, &mut valid);
        }
        if !valid.contains_key(id) {
            standing.insert(*id, Standing::Invalid);
        }
    }
    let mut resolution = Resolution::of(pin, &valid, quotas);
    resolution.standing.append(&mut standing);
    resolution
}

/// The way from a statement up to what the anchor signed, itself first: as far as delegation reaches, or `None` when a
/// link is missing.
fn path_to_anchor(copies: &BTreeMap<StatementId, Vec<Statement>>, id: StatementId) -> Option<Vec<StatementId>> {
    let mut path = vec![id];
    let mut at = copies.get(&id)?.first()?;
    while let Source::Grant(above) = at.source() {
        if path.len() == MAX_DELEGATION_DEPTH {
            return Some(vec![id]); // too deep: judged without its parent, it is refused
        }
        at = copies.get(&above)?.first()?;
        path.push(above);
    }
    Some(path)
}

fn judge_copies(
    pin: &AnchorPin,
    copies: &BTreeMap<StatementId, Vec<Statement>>,
    id: StatementId,
    valid: &mut BTreeMap<StatementId, Valid>,
) {
    if valid.contains_key(&id) {
        return;
    }
    let same = copies.get(&id).map_or(&[][..], Vec::as_slice);
    let found = same.iter().find_map(|statement| match statement.source() {
        Source::Anchor => judge(pin, statement.clone(), None).ok(),
        Source::Grant(above) => judge(pin, statement.clone(), Some(valid.get(&above)?)).ok(),
    });
    if let Some(found) = found {
        valid.insert(id, found);
    }
}

pub(super) fn place(entry: &Valid) -> Place {
    (entry.depth(), entry.statement().grant().is_some(), entry.statement().id())
}

fn root<'a>(pin: &AnchorPin, in_force: impl Iterator<Item = &'a StatementId>) -> Digest {
    let ids: Vec<String> = in_force.map(ToString::to_string).collect();
    let mut writer = Writer::new(ROOT_DOMAIN);
    writer.lp_str(&pin.digest_text()).framed_set(ids.iter().map(String::as_str));
    sha256(&[writer.as_bytes()])
}
