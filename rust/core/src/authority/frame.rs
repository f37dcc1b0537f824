//! The four frames that carry statements, as closed schemas (MMP 2.0 §6.6.8). Reading one costs no signature.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeSet;

use super::statement::{Statement, Wire, present, schema};
use crate::error::Refusal;
use crate::hash::{Digest, unhex32};
use crate::id::StatementId;
use crate::json::{Object, parse_object};
use crate::limits::{AUTHORITY_PAGE, MAX_CURSOR_CHARS, MAX_REQUEST_CHARS};

/// One frame about authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One statement, unasked.
    Statement(Box<Statement>),
    /// What the sender's authority comes to.
    Digest(StateDigest),
    /// A question for statements.
    Fetch(Fetch),
    /// The answer.
    Set(Set),
}

/// A node's root, and how many statements are in force with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateDigest {
    /// The root.
    pub root: Digest,
    /// How many.
    pub count: u64,
}

/// A question for statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Names the answer.
    pub request: String,
    /// Which.
    pub wanted: Wanted,
}

/// What a question asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// These statements.
    Ids(Vec<StatementId>),
    /// The page after this cursor of the answerer's; empty for the first.
    After(String),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The question it answers.
    pub request: String,
    /// The statements, in the order of sending.
    pub statements: Vec<Statement>,
    /// What was asked for by id and is not held.
    pub missing: Vec<StatementId>,
    /// Where to go on, when there are more.
    pub next: Option<String>,
}

impl Frame {
    /// Read a frame of this type.
    ///
    /// # Errors
    /// Anything outside its closed schema, or a type that is none of the four.
    pub fn parse(kind: &str, json: &[u8]) -> Result<Self, Refusal> {
        match kind {
            "authority-statement" => {
                let WireStatement { statement: Object(statement), .. } = parse_object(json)?;
                Statement::from_wire(statement).map(|statement| Self::Statement(Box::new(statement)))
            }
            "authority-digest" => {
                let WireDigest { root, count, .. } = parse_object(json)?;
                let root = unhex32(&root).ok_or_else(|| schema("root: expected 64 lower-case hex digits"))?;
                Ok(Self::Digest(StateDigest { root, count }))
            }
            "authority-fetch" => parse_object(json).and_then(read_fetch).map(Self::Fetch),
            "authority-set" => parse_object(json).and_then(read_set).map(Self::Set),
            _ => Err(schema("type: none of the four frames")),
        }
    }
}

impl Set {
    /// The frame as JSON: `missing` and `next` only where there is something in them.
    pub fn to_json(&self) -> Vec<u8> {
        let text = |value: &str| serde_json::to_string(value).unwrap_or_default(); // a string always serialises
        let statements: Vec<Vec<u8>> = self.statements.iter().map(Statement::to_json).collect();
        let mut frame =
            format!(r#"{{"type":"authority-set","reqId":{},"statements":["#, text(&self.request)).into_bytes();
        frame.extend(statements.join(&b','));
        frame.push(b']');
        if !self.missing.is_empty() {
            let ids: Vec<String> = self.missing.iter().map(|id| format!("\"{id}\"")).collect();
            frame.extend(format!(r#","missing":[{}]"#, ids.join(",")).into_bytes());
        }
        if let Some(next) = &self.next {
            frame.extend(format!(r#","next":{}"#, text(next)).into_bytes());
        }
        frame.push(b'}');
        frame
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireStatement {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    statement: Object<Wire>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDigest {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    root: String,
    count: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WireFetch {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    req_id: String,
    #[serde(default, deserialize_with = "present")]
    ids: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    after: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WireSet {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    req_id: String,
    statements: Vec<Object<Wire>>,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default, deserialize_with = "present")]
    next: Option<String>,
}

fn read_fetch(wire: WireFetch) -> Result<Fetch, Refusal> {
    let wanted = match (wire.ids, wire.after) {
        (Some(ids), None) if !ids.is_empty() => Wanted::Ids(read_ids(&ids)?),
        (None, Some(after)) => Wanted::After(read_cursor(after)?),
        _ => return Err(schema("ids, after: expected exactly one of them, and ids not empty")),
    };
    Ok(Fetch { request: read_request(wire.req_id)?, wanted })
}

fn read_set(wire: WireSet) -> Result<Set, Refusal> {
    if wire.statements.len() > AUTHORITY_PAGE {
        return Err(schema(format!("statements: at most {AUTHORITY_PAGE}, got {}", wire.statements.len())));
    }
    let statements = wire.statements.into_iter().map(|Object(statement)| Statement::from_wire(statement));
    Ok(Set {
        request: read_request(wire.req_id)?,
        statements: statements.collect::<Result<_, _>>()?,
        missing: read_ids(&wire.missing)?,
        next: wire.next.map(read_cursor).transpose()?,
    })
}

fn read_ids(ids: &[String]) -> Result<Vec<StatementId>, Refusal> {
    if ids.len() > AUTHORITY_PAGE {
        return Err(schema(format!("ids: at most {AUTHORITY_PAGE}, got {}", ids.len())));
    }
    let read = ids.iter().map(|id| StatementId::parse(id)).collect::<Result<Vec<_>, _>>()?;
    if read.iter().collect::<BTreeSet<_>>().len() < read.len() {
        return Err(schema("ids: one of them repeats"));
    }
    Ok(read)
}

fn read_request(request: String) -> Result<String, Refusal> {
    if request.is_empty() { Err(schema("reqId: empty")) } else { bounded(request, MAX_REQUEST_CHARS, "reqId") }
}

fn read_cursor(cursor: String) -> Result<String, Refusal> {
    bounded(cursor, MAX_CURSOR_CHARS, "cursor")
}

fn bounded(text: String, most: usize, member: &str) -> Result<String, Refusal> {
    if text.chars().nth(most).is_some() {
        return Err(schema(format!("{member}: at most {most} characters")));
    }
    Ok(text)
}
