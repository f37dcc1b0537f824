//! One authority statement: its closed shape, its canonical signed bytes, its id (MMP 2.0 §6.6.2, §6.6.3).
//!
//! Reading a statement costs no curve arithmetic. What is read here has the right shape; whether it holds is judged
//! against a pin and a chain.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;

use super::role::{Role, Scope};
use crate::error::{Reason, Refusal};
use crate::hash::sha256;
use crate::id::{NodeId, StatementId};
use crate::identity::SigningKey;
use crate::json::{Object, parse_object};
use crate::limits::{MAX_ANCHOR_MEMBERS, MAX_SAFE_INTEGER, MAX_STATEMENT_TARGETS};
use crate::netstring::Writer;

const DOMAIN: &str = "mmp-authority-v1\n";
const ANCHOR: &str = "anchor";

/// Whose authority a statement claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The pinned anchor's.
    Anchor,
    /// The subject's of this grant.
    Grant(StatementId),
}

impl Source {
    fn text(self) -> String {
        match self {
            Self::Anchor => ANCHOR.to_owned(),
            Self::Grant(id) => id.to_string(),
        }
    }
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// This node, with this key, has a role.
    Grant(Grant),
    /// These grants are removed.
    Revoke(BTreeSet<StatementId>),
    /// These grants and revokes stay alive where a revoke has cut them off.
    Endorse(BTreeSet<StatementId>),
}

impl Act {
    const fn word(&self) -> &'static str {
        match self {
            Self::Grant(_) => "grant",
            Self::Revoke(_) => "revoke",
            Self::Endorse(_) => "endorse",
        }
    }
}

/// What a grant confers, and on whom. The role belongs to the pair of node and key, never to either alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The node.
    pub node_id: NodeId,
    /// Its key, as bytes: whether they are a key of prime order is checked where it counts.
    pub key: [u8; 32],
    /// The role.
    pub role: Role,
    /// Where it holds; `None` is the whole mesh.
    pub scope: Option<Scope>,
}

/// One signature of a statement and the key it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The raw key.
    pub key: [u8; 32],
    /// The signature over the statement's payload.
    pub signature: [u8; 64],
}

/// A statement of the right shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    id: StatementId,
    source: Source,
    act: Act,
    nonce: [u8; 16],
    issued_at: Option<u64>,
    signatures: Vec<Entry>,
}

impl Statement {
    /// Read one statement from JSON.
    ///
    /// # Errors
    /// Anything outside the closed schema, or two signatures under one key.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        parse_object::<Wire>(json).and_then(Self::from_wire)
    }

    pub(super) fn from_wire(wire: Wire) -> Result<Self, Refusal> {
        let source = match wire.authorised_by.as_str() {
            ANCHOR => Source::Anchor,
            id => Source::Grant(StatementId::parse(id)?),
        };
        let nonce = decoded(&wire.nonce).ok_or_else(|| schema("nonce: expected 16 bytes as unpadded base64url"))?;
        if wire.issued_at.is_some_and(|at| at > MAX_SAFE_INTEGER) {
            return Err(schema("issuedAt: beyond the safe integers"));
        }
        let signatures = read_signatures(wire.sigs, source)?;
        let act = read_act(&wire.kind, wire.subject, wire.role.as_deref(), wire.scope.as_deref(), wire.targets)?;
        Ok(Self::assemble(source, act, nonce, wire.issued_at, signatures))
    }

    /// Compose a statement that nobody has signed yet.
    ///
    /// # Errors
    /// A revoke or endorse names no target or too many, or `issued_at` is beyond the safe integers.
    pub fn draft(source: Source, act: Act, nonce: [u8; 16], issued_at: Option<u64>) -> Result<Self, Refusal> {
        if let Act::Revoke(targets) | Act::Endorse(targets) = &act {
            check_targets(targets.len())?;
        }
        if issued_at.is_some_and(|at| at > MAX_SAFE_INTEGER) {
            return Err(schema("issuedAt: beyond the safe integers"));
        }
        Ok(Self::assemble(source, act, nonce, issued_at, Vec::new()))
    }

    fn assemble(source: Source, act: Act, nonce: [u8; 16], issued_at: Option<u64>, mut signatures: Vec<Entry>) -> Self {
        signatures.sort_unstable();
        let mut statement = Self { id: StatementId::from_bytes([0; 32]), source, act, nonce, issued_at, signatures };
        statement.id = StatementId::from_bytes(sha256(&[&statement.payload()]));
        statement
    }

    /// Add one's signature; an earlier one under the same key is replaced.
    ///
    /// # Errors
    /// The statement would carry more signatures than it may.
    pub fn sign(mut self, key: &SigningKey) -> Result<Self, Refusal> {
        let entry = Entry { key: *key.public().as_bytes(), signature: key.sign_bytes(&self.payload()) };
        self.signatures.retain(|held| held.key != entry.key);
        self.signatures.push(entry);
        check_signatures(self.signatures.len(), self.source)?;
        self.signatures.sort_unstable();
        Ok(self)
    }

    /// The canonical signed bytes (§6.6.3). Signatures are no part of them.
    pub fn payload(&self) -> Vec<u8> {
        let mut writer = Writer::new(DOMAIN);
        writer.lp_str(self.act.word()).lp_str(&self.source.text());
        match &self.act {
            Act::Grant(grant) => {
                let scope = grant.scope.as_ref().map_or("", Scope::as_str);
                writer.lp_str(&grant.node_id.to_string()).lp_str(&URL_SAFE_NO_PAD.encode(grant.key));
                writer.lp_str(grant.role.as_str()).lp_str(scope);
            }
            Act::Revoke(targets) | Act::Endorse(targets) => {
                let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
                writer.framed_set(targets.iter().map(String::as_str));
            }
        }
        writer.lp_str(&URL_SAFE_NO_PAD.encode(self.nonce));
        match self.issued_at {
            Some(at) => writer.lp_u64(at),
            None => writer.lp_str(""),
        };
        writer.into_bytes()
    }

    /// The statement as its canonical members, in one spelling.
    pub fn to_json(&self) -> Vec<u8> {
        let (subject, role, scope, targets) = match &self.act {
            Act::Grant(grant) => {
                let subject = Subject { node_id: grant.node_id.to_string(), key: URL_SAFE_NO_PAD.encode(grant.key) };
                let scope = grant.scope.as_ref().map(ToString::to_string);
                (Some(Object(subject)), Some(grant.role.to_string()), scope, None)
            }
            Act::Revoke(targets) | Act::Endorse(targets) => {
                (None, None, None, Some(targets.iter().map(ToString::to_string).collect()))
            }
        };
        let sigs = self.signatures.iter().map(|entry| {
            Object(Signature { key: URL_SAFE_NO_PAD.encode(entry.key), sig: URL_SAFE_NO_PAD.encode(entry.signature) })
        });
        let wire = Wire {
            kind: self.act.word().to_owned(),
            authorised_by: self.source.text(),
            subject,
            role,
            scope,
            targets,
            nonce: URL_SAFE_NO_PAD.encode(self.nonce),
            issued_at: self.issued_at,
            sigs: sigs.collect(),
        };
        // Strings, numbers and lists of them always serialise.
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// The id: the digest of the payload. Computed, never carried.
    pub const fn id(&self) -> StatementId {
        self.id
    }
    /// Whose authority it claims.
    pub const fn source(&self) -> Source {
        self.source
    }
    /// What it says.
    pub const fn act(&self) -> &Act {
        &self.act
    }
    /// When its signers say they signed it: information only, no part of any decision (§6.6.10).
    pub const fn issued_at(&self) -> Option<u64> {
        self.issued_at
    }
    /// Its signatures, by key.
    pub fn signatures(&self) -> &[Entry] {
        &self.signatures
    }
    /// The grant, when it is one.
    pub const fn grant(&self) -> Option<&Grant> {
        match &self.act {
            Act::Grant(grant) => Some(grant),
            Act::Revoke(_) | Act::Endorse(_) => None,
        }
    }
    /// What a revoke or an endorse names; nothing for a grant.
    pub fn targets(&self) -> impl Iterator<Item = StatementId> + '_ {
        let named = match &self.act {
            Act::Grant(_) => None,
            Act::Revoke(targets) | Act::Endorse(targets) => Some(targets),
        };
        named.into_iter().flatten().copied()
    }
}

/// A statement as JSON has it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Wire {
    kind: String,
    authorised_by: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    subject: Option<Object<Subject>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    targets: Option<Vec<String>>,
    nonce: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    issued_at: Option<u64>,
    sigs: Vec<Object<Signature>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Subject {
    node_id: String,
    key: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    key: String,
    sig: String,
}

fn read_signatures(wire: Vec<Object<Signature>>, source: Source) -> Result<Vec<Entry>, Refusal> {
    check_signatures(wire.len(), source)?;
    let mut keys = BTreeSet::new();
    let mut entries = Vec::with_capacity(wire.len());
    for Object(Signature { key, sig }) in wire {
        let key = decoded(&key).ok_or_else(|| schema("sigs: a key that is not 32 bytes as unpadded base64url"))?;
        let signature = decoded(&sig).ok_or_else(|| schema("sigs: a signature that is not 64 bytes"))?;
        // Found before any signature is checked: a copy must not buy repeated checks under one pinned key.
        if !keys.insert(key) {
            return Err(schema("sigs: two signatures under one key"));
        }
        entries.push(Entry { key, signature });
    }
    Ok(entries)
}

fn read_act(
    kind: &str,
    subject: Option<Object<Subject>>,
    role: Option<&str>,
    scope: Option<&str>,
    targets: Option<Vec<String>>,
) -> Result<Act, Refusal> {
    match (kind, subject, role, scope, targets) {
        ("grant", Some(Object(subject)), Some(role), scope, None) => {
            let scope = scope.map(|text| Scope::parse(text).ok_or_else(|| schema("scope: outside its grammar")));
            Ok(Act::Grant(Grant {
                node_id: NodeId::parse(&subject.node_id)?,
                key: decoded(&subject.key).ok_or_else(|| schema("subject.key: expected 32 bytes as base64url"))?,
                role: Role::parse(role).ok_or_else(|| schema("role: neither a core role nor an extension's token"))?,
                scope: scope.transpose()?,
            }))
        }
        ("revoke", None, None, None, Some(targets)) => read_targets(&targets).map(Act::Revoke),
        ("endorse", None, None, None, Some(targets)) => read_targets(&targets).map(Act::Endorse),
        _ => Err(schema("kind: not a grant, revoke or endorse with exactly its own members")),
    }
}

fn read_targets(targets: &[String]) -> Result<BTreeSet<StatementId>, Refusal> {
    check_targets(targets.len())?;
    let set = targets.iter().map(|id| StatementId::parse(id)).collect::<Result<BTreeSet<_>, _>>()?;
    if set.len() == targets.len() { Ok(set) } else { Err(schema("targets: one of them repeats")) }
}

fn check_targets(count: usize) -> Result<(), Refusal> {
    if (1..=MAX_STATEMENT_TARGETS).contains(&count) {
        return Ok(());
    }
    Err(schema(format!("targets: expected 1 to {MAX_STATEMENT_TARGETS}, got {count}")))
}

fn check_signatures(count: usize, source: Source) -> Result<(), Refusal> {
    let most = if source == Source::Anchor { MAX_ANCHOR_MEMBERS } else { 1 };
    if (1..=most).contains(&count) { Ok(()) } else { Err(schema(format!("sigs: expected 1 to {most}, got {count}"))) }
}

/// Read canonical unpadded base64url of exactly `N` bytes. The decoder refuses spare bits and padding.
pub(super) fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

pub(super) fn schema(detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Schema, format!("authority statement: {}", detail.into()))
}

pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
