//! Python's view of admission attestations (`sym-attest-v1`).

use std::sync::{Mutex, PoisonError};

use covey_core::attest::{self, Finding, Frame, Judged, Witness};
use covey_core::category::COUNT;
use covey_core::error::{Reason, Refusal};
use covey_core::hash::hex;
use covey_core::id::{AssertionId, ContentKey, NodeId};
use covey_core::svaf::Decision;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::mapped;
use crate::identity::Identity;
use crate::keys;

/// One frame of the extension inside its closed schema; its signature is not checked yet.
#[pyclass(frozen, module = "covey._core")]
pub struct AttestFrame {
    inner: Frame,
}

#[pymethods]
impl AttestFrame {
    /// Read a frame of this `type`.
    #[staticmethod]
    fn parse(py: Python<'_>, kind: &str, json: &[u8]) -> PyResult<Self> {
        mapped(py, Frame::parse(kind, json)).map(|inner| Self { inner })
    }

    /// Check the author's signature under the key bound to `signer`; node-stats has none.
    fn verify(&self, py: Python<'_>, public_key: [u8; 32]) -> PyResult<()> {
        let verified = keys::checked(public_key).and_then(|key| match &self.inner {
            Frame::Attestation(told) => told.verify(&key),
            Frame::Checkpoint(told) => told.verify(&key),
            Frame::Witness(told) => told.verify(&key),
            Frame::Stats(_) => Err(unusable("node-stats carries no signature")),
        });
        mapped(py, verified)
    }

    /// "attestation", "checkpoint", "witness" or "node-stats".
    #[getter]
    fn kind(&self) -> &'static str {
        match &self.inner {
            Frame::Attestation(_) => "attestation",
            Frame::Checkpoint(_) => "checkpoint",
            Frame::Witness(_) => "witness",
            Frame::Stats(_) => "node-stats",
        }
    }
    /// The node that signed it; None for node-stats.
    #[getter]
    fn signer(&self) -> Option<String> {
        match &self.inner {
            Frame::Attestation(told) => Some(told.by.to_string()),
            Frame::Checkpoint(told) => Some(told.by.to_string()),
            Frame::Witness(told) => Some(told.by.to_string()),
            Frame::Stats(_) => None,
        }
    }
    /// The room it is about; None for node-stats.
    #[getter]
    fn room(&self) -> Option<&str> {
        match &self.inner {
            Frame::Attestation(told) => Some(&told.room),
            Frame::Checkpoint(told) => Some(&told.room),
            Frame::Witness(told) => Some(&told.room),
            Frame::Stats(_) => None,
        }
    }
    /// First and last position: of an attestation its own, of a checkpoint or witness the range.
    #[getter]
    fn range(&self) -> Option<(u64, u64)> {
        match &self.inner {
            Frame::Attestation(told) => Some((told.seq, told.seq)),
            Frame::Checkpoint(told) => Some((told.from, told.upto)),
            Frame::Witness(told) => Some((told.from, told.upto)),
            Frame::Stats(_) => None,
        }
    }
    /// The root of a checkpoint or witness, 64 hex digits.
    #[getter]
    fn root(&self) -> Option<String> {
        match &self.inner {
            Frame::Checkpoint(told) => Some(hex(&told.root)),
            Frame::Witness(told) => Some(hex(&told.root)),
            Frame::Attestation(_) | Frame::Stats(_) => None,
        }
    }
    /// What the next attestation's `prev` is; None but for an attestation.
    #[getter]
    fn link(&self) -> Option<String> {
        match &self.inner {
            Frame::Attestation(told) => Some(told.link().to_string()),
            Frame::Checkpoint(_) | Frame::Witness(_) | Frame::Stats(_) => None,
        }
    }

    /// Say what two verified checkpoints of one attester prove: "overlap", "same-prev", both, or nothing.
    fn conflict(&self, py: Python<'_>, other: &Self) -> PyResult<Vec<&'static str>> {
        let (Frame::Checkpoint(left), Frame::Checkpoint(right)) = (&self.inner, &other.inner) else {
            return mapped(py, Err(unusable("only checkpoints conflict")));
        };
        let said = left.conflict(right).map(|found| [(found.overlap, "overlap"), (found.same_prev, "same-prev")]);
        Ok(said.into_iter().flatten().filter(|(holds, _)| *holds).map(|(_, word)| word).collect())
    }

    /// Say whether a verified witness contradicts a verified checkpoint of its attester. It is a lead, never evidence
    /// against the attester; over the very range of the checkpoint it is evidence against the witness.
    fn contradicts(&self, py: Python<'_>, held: &Self) -> PyResult<bool> {
        let (Frame::Witness(told), Frame::Checkpoint(held)) = (&self.inner, &held.inner) else {
            return mapped(py, Err(unusable("only a witness contradicts a checkpoint")));
        };
        Ok(told.contradicts(held))
    }

    /// Check the place of a checkpoint against a held one: it starts right after the one it names.
    fn check_link(&self, py: Python<'_>, held: &Self) -> PyResult<()> {
        let checked = match (&self.inner, &held.inner) {
            (Frame::Checkpoint(new), Frame::Checkpoint(held)) => new.check_link(held),
            _ => Err(unusable("only checkpoints follow one another")),
        };
        mapped(py, checked)
    }

    /// Say whether a checkpoint commits to exactly these attestations, in order.
    fn covers(&self, py: Python<'_>, segment: Vec<PyRef<'_, Self>>) -> PyResult<bool> {
        let Frame::Checkpoint(checkpoint) = &self.inner else {
            return mapped(py, Err(unusable("only checkpoints cover attestations")));
        };
        let told = segment.iter().map(|frame| match &frame.inner {
            Frame::Attestation(told) => Ok(&**told),
            _ => Err(unusable("only attestations are covered")),
        });
        let told = mapped(py, told.collect::<Result<Vec<_>, Refusal>>())?;
        Ok(checkpoint.covers(&told))
    }

    /// Sign, as a witness, that one holds this verified checkpoint of another node.
    #[pyo3(signature = (witness, *, role, at_ms))]
    fn witnessed(&self, py: Python<'_>, witness: &Identity, role: &str, at_ms: u64) -> PyResult<Self> {
        let Frame::Checkpoint(held) = &self.inner else {
            return mapped(py, Err(unusable("only checkpoints are witnessed")));
        };
        let signed = Witness::sign(held, witness.inner.node_id(), role, at_ms, witness.inner.key());
        mapped(py, signed).map(|signed| Self { inner: Frame::Witness(Box::new(signed)) })
    }

    /// Return the frame as JSON bytes.
    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.to_json())
    }
}

/// One's own chain of attestations. Store `to_json` before what it signed is sent.
#[pyclass(frozen, module = "covey._core")]
pub struct AttestChain {
    inner: Mutex<attest::Chain>,
}

impl AttestChain {
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut attest::Chain) -> T + Send) -> T {
        py.detach(|| work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[pymethods]
impl AttestChain {
    /// Start a chain that nobody has seen anything of.
    #[new]
    fn new(py: Python<'_>, node_id: &str, room: &str) -> PyResult<Self> {
        let node_id = mapped(py, NodeId::parse(node_id))?;
        Ok(Self { inner: Mutex::new(attest::Chain::new(node_id, room)) })
    }

    /// Go on from a stored state; one that lost a piece signs nothing more.
    #[staticmethod]
    fn from_json(py: Python<'_>, json: &[u8]) -> PyResult<Self> {
        mapped(py, attest::Chain::from_json(json)).map(|chain| Self { inner: Mutex::new(chain) })
    }

    /// Sign what was decided about a record. `verdicts` are the seven, in CAT7 order.
    #[pyo3(signature = (identity, *, key, assertion_id, decision, verdicts, method, role, at_ms))]
    #[allow(clippy::too_many_arguments)] // the members of an attestation, all by keyword
    fn attest(
        &self,
        py: Python<'_>,
        identity: &Identity,
        key: &str,
        assertion_id: &str,
        decision: &str,
        verdicts: [String; COUNT],
        method: &str,
        role: &str,
        at_ms: u64,
    ) -> PyResult<AttestFrame> {
        let signed = (|| {
            let judged = Judged {
                of: ContentKey::parse(key)?,
                assertion_id: AssertionId::parse(assertion_id)?,
                method,
                role,
                verdict: Decision::parse(decision).ok_or_else(|| unusable("decision: none of the four"))?,
                categories: findings(&verdicts)?,
            };
            self.with(py, |chain| chain.attest(judged, at_ms, identity.inner.key()))
        })();
        mapped(py, signed).map(|signed| AttestFrame { inner: Frame::Attestation(Box::new(signed)) })
    }

    /// Sign a checkpoint over everything since the last one; None when there is nothing.
    #[pyo3(signature = (identity, *, at_ms))]
    fn checkpoint(&self, py: Python<'_>, identity: &Identity, at_ms: u64) -> Option<AttestFrame> {
        let signed = self.with(py, |chain| chain.checkpoint(at_ms, identity.inner.key()));
        signed.map(|signed| AttestFrame { inner: Frame::Checkpoint(Box::new(signed)) })
    }

    /// Go on in another room, on the same chain; what waits is checkpointed first.
    fn enter(&self, py: Python<'_>, room: &str) -> PyResult<()> {
        let entered = self.with(py, |chain| chain.enter(room));
        mapped(py, entered)
    }

    /// The room that is attested in.
    #[getter]
    fn room(&self, py: Python<'_>) -> String {
        self.with(py, |chain| chain.room().to_owned())
    }
    /// How many attestations wait for a checkpoint.
    #[getter]
    fn pending(&self, py: Python<'_>) -> usize {
        self.with(py, |chain| chain.pending())
    }

    /// Return the whole state as JSON bytes.
    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let state = self.with(py, |chain| chain.to_json());
        PyBytes::new(py, &state)
    }
}

fn findings(words: &[String; COUNT]) -> Result<[Finding; COUNT], Refusal> {
    let mut found = [Finding::Silent; COUNT];
    for (slot, word) in found.iter_mut().zip(words) {
        *slot = Finding::parse(word).ok_or_else(|| unusable("verdicts: one is none of the five"))?;
    }
    Ok(found)
}

fn unusable(detail: &str) -> Refusal {
    Refusal::new(Reason::InvalidArgument, detail)
}

/// Put this room's classes into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<AttestFrame>()?;
    module.add_class::<AttestChain>()
}
