//! Python's view of covey's own path by itself: encoders, traces of blocks, and a judgement over them.

use std::sync::Arc;

use covey_core::category::COUNT;
use covey_core::encoder::{self, Table};
use covey_core::error::{Reason, Refusal};
use covey_core::id::NodeId;
use covey_core::svaf::{self, Candidate, Circumstances, Gate, Scale, Thresholds};
use covey_core::text;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMapping};

use crate::errors::mapped;
use crate::prior::{Prior, bytes};
use crate::record::texts;
use crate::svaf::{Evaluation, custom};

/// What reads texts for covey's own path.
#[pyclass(frozen, module = "covey._core")]
pub struct Encoder {
    /// The encoder itself.
    pub inner: encoder::Encoder,
}

/// What a block says, as one encoder reads it. Never compared with what another reads.
#[pyclass(frozen, module = "covey._core")]
pub struct Traces {
    inner: svaf::Traces,
    kernel: String,
}

#[pymethods]
impl Encoder {
    /// Return a built-in encoder: words-1, lexis-h1024 or ngram-h64.
    #[new]
    #[pyo3(signature = (kernel="words-1"))]
    fn new(py: Python<'_>, kernel: &str) -> PyResult<Self> {
        let found = encoder::Encoder::from_id(kernel).ok_or_else(|| {
            let detail = format!("kernel: expected words-1, lexis-h1024 or ngram-h64, got `{kernel}`");
            Refusal::new(Reason::InvalidArgument, detail)
        });
        mapped(py, found).map(|inner| Self { inner })
    }

    /// Read a static-embedding table in the layout of model2vec: the bytes of its two files.
    ///
    /// Raises:
    ///     CoreError: invalid_argument, with what is not understood.
    #[staticmethod]
    fn table(py: Python<'_>, safetensors: &[u8], tokenizer: &[u8]) -> PyResult<Self> {
        let read = py.detach(|| Table::read(safetensors, tokenizer));
        mapped(py, read).map(|table| Self { inner: encoder::Encoder::Table(Arc::new(table)) })
    }

    /// The kernel's id.
    #[getter]
    fn kernel(&self) -> &str {
        self.inner.id()
    }

    /// Numbers of one vector.
    #[getter]
    fn dimensions(&self) -> usize {
        self.inner.dimensions()
    }

    /// Read a block: category to text; what is absent is neutral, and neutral leaves no trace.
    fn traces(&self, py: Python<'_>, categories: &Bound<'_, PyMapping>) -> PyResult<Traces> {
        let said = texts(py, categories)?;
        let normal = said.each_ref().map(|said| text::nfc(said));
        let inner = py.detach(|| svaf::Traces::of_texts(&self.inner, normal.each_ref().map(AsRef::as_ref)));
        Ok(Traces { inner, kernel: self.inner.id().to_owned() })
    }

    /// Judge a block by covey's own path, against blocks with how much each counts for support (0 to 1).
    ///
    /// Args:
    ///     incoming: What it says.
    ///     memory: (traces, strength) pairs.
    ///     profile: A mapping as in `evaluate`; what it leaves out is the encoder's own.
    ///     age_seconds: The block's own age.
    ///     answers: It names a parent that memory holds.
    ///     prior: What others learned, with the block's texts by category.
    ///     authors: A number for the author of each block of memory; without them each block has one of its own.
    ///     scale: Numbers in place of the encoder's own: foreign, home, context, context_nearest, first, second, answering.
    ///
    /// Raises:
    ///     CoreError: invalid_argument, naming what was expected.
    #[pyo3(signature = (incoming, memory, profile=None, *, age_seconds=0.0, answers=false, prior=None, scale=None,
                        authors=None))]
    #[allow(clippy::too_many_arguments)] // a judgement's circumstances, each by keyword
    fn judge(
        &self,
        py: Python<'_>,
        incoming: &Traces,
        memory: Vec<(PyRef<'_, Traces>, f64)>,
        profile: Option<&Bound<'_, PyMapping>>,
        age_seconds: f64,
        answers: bool,
        prior: Option<(PyRef<'_, Prior>, Bound<'_, PyMapping>)>,
        scale: Option<&Bound<'_, PyMapping>>,
        authors: Option<Vec<u32>>,
    ) -> PyResult<Evaluation> {
        let own = Thresholds::selective(&self.inner);
        let gate = match profile {
            Some(parts) => custom(py, parts, own)?,
            None => mapped(py, Gate::new(covey_core::category::Weights::UNIFORM, own))?,
        };
        let mut numbers = Scale::of(&self.inner);
        if let Some(parts) = scale {
            changed(py, parts, &mut numbers)?;
        }
        let strange =
            memory.iter().map(|(traces, _)| &traces.kernel).chain([&incoming.kernel]).any(|id| id != self.inner.id());
        let strength = memory.iter().all(|(_, strength)| (0.0..=1.0).contains(strength));
        if strange || !strength || !age_seconds.is_finite() {
            let detail = "traces of this encoder, strengths from 0 to 1 and a finite age are expected";
            return mapped(py, Err(Refusal::new(Reason::InvalidArgument, detail)));
        }
        let candidates = mapped(py, candidates(&memory, authors))?;
        let about = Circumstances { age_seconds, answers, grounding: false };
        let (mut evaluation, _): (_, [Option<usize>; COUNT]) =
            gate.select(&numbers, &incoming.inner, &candidates, about);
        if let Some((prior, said)) = prior {
            let said = texts(py, &said)?;
            let normal = said.each_ref().map(|said| text::nfc(said));
            let normal = normal.each_ref().map(AsRef::as_ref);
            gate.informed(&mut evaluation, &prior.inner, normal, candidates.len(), answers);
        }
        Ok(Evaluation::wrap(&evaluation, &gate))
    }

    /// Return what a block's words amount to among held blocks, by name, and whether it speaks in several categories:
    /// what the weights of words-1 are learned on.
    ///
    /// Raises:
    ///     CoreError: invalid_argument where an encoder of vectors read the block.
    #[expect(clippy::needless_pass_by_value, reason = "pyo3 gives lists by value")]
    #[staticmethod]
    #[pyo3(signature = (incoming, memory, authors=None))]
    fn evidence(
        py: Python<'_>,
        incoming: &Traces,
        memory: Vec<(PyRef<'_, Traces>, f64)>,
        authors: Option<Vec<u32>>,
    ) -> PyResult<(bool, Vec<(&'static str, f64)>)> {
        let candidates = mapped(py, candidates(&memory, authors))?;
        let found = svaf::evidence(&incoming.inner, &candidates);
        let found = found.ok_or_else(|| Refusal::new(Reason::InvalidArgument, "evidence: words-1 is expected"));
        mapped(py, found).map(|found| (found.several, svaf::EVIDENCE_NAMES.into_iter().zip(found.counts).collect()))
    }

    fn __repr__(&self) -> String {
        format!("Encoder({})", self.inner.id())
    }
}

#[pymethods]
impl Traces {
    /// Id of the encoder that read them.
    #[getter]
    fn kernel(&self) -> &str {
        &self.kernel
    }

    /// What the block says in all, as whole numbers from -127 to 127, one byte each; None where it says nothing.
    #[getter]
    fn code<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let code = self.inner.block()?;
        Some(PyBytes::new(py, &bytes(code)))
    }

    /// How like another block it is in all: a cosine; 0 where one says nothing, or another encoder read it.
    fn likeness(&self, other: &Self) -> f64 {
        if self.kernel == other.kernel { self.inner.likeness(&other.inner) } else { 0.0 }
    }
}

/// Blocks of memory with whose they are.
fn candidates<'a>(
    memory: &'a [(PyRef<'_, Traces>, f64)],
    authors: Option<Vec<u32>>,
) -> Result<Vec<Candidate<'a>>, Refusal> {
    let authors = authors.unwrap_or_else(|| (0..).take(memory.len()).collect());
    if authors.len() != memory.len() {
        let detail = format!("authors: expected {}, got {}", memory.len(), authors.len());
        return Err(Refusal::new(Reason::InvalidArgument, detail));
    }
    let each = memory.iter().zip(authors).map(|((held, strength), author)| Candidate {
        traces: &held.inner,
        strength: *strength,
        author: NodeId::from_bytes(u128::from(author).to_be_bytes()),
    });
    Ok(each.collect())
}

fn changed(py: Python<'_>, parts: &Bound<'_, PyMapping>, scale: &mut Scale) -> PyResult<()> {
    for item in parts.items()?.iter() {
        let (name, value): (String, f64) = item.extract()?;
        let place = match name.as_str() {
            "foreign" => &mut scale.foreign,
            "home" => &mut scale.home,
            "context" => &mut scale.context,
            "context_nearest" => &mut scale.context_nearest,
            "first" => &mut scale.first,
            "second" => &mut scale.second,
            "answering" => &mut scale.answering,
            _ => {
                return mapped(
                    py,
                    Err(Refusal::new(Reason::InvalidArgument, format!("scale: no number is named `{name}`"))),
                );
            }
        };
        *place = value;
    }
    Ok(())
}
