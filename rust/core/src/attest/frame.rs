//! The four frames of the extension, as closed schemas (§5 of the extension). Reading one costs no signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, WireCheckpoint, WireWitness, Witness};
use super::claim::{Attestation, WireAttestation};
use crate::error::{Reason, Refusal};
use crate::json::{Object, parse_object};
use crate::limits::MAX_SAFE_INTEGER;

/// What every type of the extension begins with.
const PREFIX: &str = "sym-attest-";

/// One frame of the extension.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// A judgement, signed by its author.
    Attestation(Box<Attestation>),
    /// A commitment to a chain, signed by its author.
    Checkpoint(Box<Checkpoint>),
    /// A word for a checkpoint, signed by its author.
    Witness(Box<Witness>),
    /// What the session's peer says of itself.
    Stats(NodeStats),
}

/// Self-reported, unsigned, of no consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NodeStats {
    /// Records it authored and holds.
    pub emitted: u64,
    /// Records of peers it holds.
    pub admitted: u64,
    /// All it holds.
    pub memory: u64,
    /// Its clock in milliseconds.
    pub at: u64,
}

impl Frame {
    /// Read a frame of this type.
    ///
    /// # Errors
    /// Anything outside its closed schema, or a type that is none of the four.
    pub fn parse(kind: &str, json: &[u8]) -> Result<Self, Refusal> {
        match kind.strip_prefix(PREFIX) {
            Some("attestation") => {
                let WireAttestationFrame { attestation: Object(wire), .. } = parse_object(json)?;
                Attestation::from_wire(wire).map(|read| Self::Attestation(Box::new(read)))
            }
            Some("checkpoint") => {
                let WireCheckpointFrame { checkpoint: Object(wire), .. } = parse_object(json)?;
                Checkpoint::from_wire(wire).map(|read| Self::Checkpoint(Box::new(read)))
            }
            Some("witness") => {
                let WireWitnessFrame { witness: Object(wire), .. } = parse_object(json)?;
                Witness::from_wire(wire).map(|read| Self::Witness(Box::new(read)))
            }
            Some("node-stats") => {
                let WireStatsFrame { stats: Object(stats), .. } = parse_object(json)?;
                if stats.at > MAX_SAFE_INTEGER {
                    return Err(schema("at: beyond the safe integers"));
                }
                Ok(Self::Stats(stats))
            }
            _ => Err(schema("type: none of the four frames")),
        }
    }

    /// The frame as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let (kind, body) = match self {
            Self::Attestation(told) => ("attestation", serde_json::to_value(told.to_wire())),
            Self::Checkpoint(told) => ("checkpoint", serde_json::to_value(told.to_wire())),
            Self::Witness(told) => ("witness", serde_json::to_value(told.to_wire())),
            Self::Stats(stats) => ("node-stats", serde_json::to_value(stats)),
        };
        let member = if kind == "node-stats" { "stats" } else { kind };
        // Strings and numbers always serialise.
        let body = body.unwrap_or_default();
        serde_json::json!({ "type": format!("{PREFIX}{kind}"), member: body }).to_string().into_bytes()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireAttestationFrame {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    attestation: Object<WireAttestation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCheckpointFrame {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    checkpoint: Object<WireCheckpoint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireWitnessFrame {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    witness: Object<WireWitness>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireStatsFrame {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    stats: Object<NodeStats>,
}

pub(super) fn schema(detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Schema, format!("attestation: {}", detail.into()))
}

/// Read 64 bytes of canonical unpadded base64url.
pub(super) fn signature(text: &str) -> Result<[u8; 64], Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| schema("sig: expected 64 bytes as unpadded base64url"))
}

pub(super) fn text_of(signature: &[u8; 64]) -> String {
    URL_SAFE_NO_PAD.encode(signature)
}
