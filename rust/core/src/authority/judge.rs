//! Whether one statement holds under a pin and the chain above it (MMP 2.0 §6.6.3, rules 2 to 4). No other statement,
//! no clock and no order of arrival has a say in it, so what was judged valid stays valid.

use super::pin::AnchorPin;
use super::role::{Role, Scope};
use super::statement::{Act, Source, Statement};
use crate::error::{Reason, Refusal};
use crate::id::StatementId;
use crate::identity::PublicKey;
use crate::limits::{KEY_CHECK_COST, MAX_DELEGATION_DEPTH};
use crate::signature::verify_bytes;

/// A statement that holds: its signatures, its signer's right to say it, and every link up to the anchor.
#[derive(Clone, Debug)]
pub struct Valid {
    statement: Statement,
    /// The grants above it, the nearest first.
    chain: Vec<StatementId>,
    /// The key a grant confers its role on.
    subject: Option<PublicKey>,
}

impl Valid {
    /// The statement.
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Steps from the anchor, 1 for what the anchor itself signed.
    pub const fn depth(&self) -> usize {
        self.chain.len() + 1
    }

    pub(super) fn chain(&self) -> &[StatementId] {
        &self.chain
    }
}

/// Judge a statement; `parent` is the grant it names as its source, `None` when that is the anchor.
pub(super) fn judge(pin: &AnchorPin, statement: Statement, parent: Option<&Valid>) -> Result<Valid, Refusal> {
    let chain = match parent {
        Some(parent) => chain_below(parent)?,
        None => Vec::new(),
    };
    // The cheap rules first: a statement nobody may make costs no signature.
    if let Some(parent) = parent {
        check_right(parent, &statement)?;
    }
    check_signatures(pin, &statement, parent)?;
    let subject = match statement.grant() {
        Some(grant) => Some(PublicKey::from_bytes(grant.key)?),
        None => None,
    };
    Ok(Valid { statement, chain, subject })
}

/// The most that judging costs, in signature checks: one for each signature that may be checked, and the check of a
/// grant's subject key.
pub(super) fn price(pin: &AnchorPin, statement: &Statement) -> u32 {
    let signatures = match statement.source() {
        Source::Anchor => statement.signatures().iter().filter(|entry| pin.key(&entry.key).is_some()).count(),
        Source::Grant(_) => 1,
    };
    let key = if statement.grant().is_some() { KEY_CHECK_COST } else { 0 };
    u32::try_from(signatures).unwrap_or(u32::MAX).saturating_add(key)
}

fn chain_below(parent: &Valid) -> Result<Vec<StatementId>, Refusal> {
    if parent.depth() >= MAX_DELEGATION_DEPTH {
        return Err(refused(Reason::NotAuthorised, "further from the anchor than delegation reaches"));
    }
    Ok(std::iter::once(parent.statement.id()).chain(parent.chain.iter().copied()).collect())
}

/// Check that the holder of the grant above may say this (§6.6.2).
fn check_right(parent: &Valid, statement: &Statement) -> Result<(), Refusal> {
    let refuse = |detail: &str| Err(refused(Reason::NotAuthorised, detail));
    let Some(above) = parent.statement.grant() else {
        return refuse("its source is no grant");
    };
    let permitted = match (statement.act(), &above.role) {
        (Act::Grant(_) | Act::Endorse(_), Role::Admin) => true,
        (Act::Grant(grant), Role::Validator | Role::Issuer) => !grant.role.delegates(),
        (Act::Revoke(_), role) => role.delegates(),
        _ => false,
    };
    if !permitted {
        return refuse("the role it is signed with does not permit it");
    }
    match (&above.scope, statement.act()) {
        (Some(scope), Act::Grant(grant)) if !Scope::covers(scope, grant.scope.as_ref()) => {
            refuse("its scope is wider than that of the grant above it")
        }
        _ => Ok(()),
    }
}

fn check_signatures(pin: &AnchorPin, statement: &Statement, parent: Option<&Valid>) -> Result<(), Refusal> {
    let payload = statement.payload();
    let Some(parent) = parent else {
        let signed = statement.signatures().iter().filter(|entry| {
            pin.key(&entry.key).is_some_and(|key| verify_bytes(&payload, &entry.signature, key).is_ok())
        });
        if signed.count() < pin.threshold() {
            return Err(refused(Reason::BadSignature, "not signed by enough of the pinned anchor"));
        }
        return Ok(());
    };
    let key = parent
        .subject
        .as_ref()
        .filter(|key| statement.signatures().first().is_some_and(|entry| entry.key == *key.as_bytes()));
    match (key, statement.signatures().first()) {
        (Some(key), Some(entry)) => verify_bytes(&payload, &entry.signature, key),
        _ => Err(refused(Reason::BadSignature, "not signed with the key of the grant above it")),
    }
}

pub(super) fn refused(reason: Reason, detail: &str) -> Refusal {
    Refusal::new(reason, format!("authority statement: {detail}"))
}
