//! Python's view of admission by itself: encoding, evaluating, and what an evaluation says.

use covey_core::category::{self, COUNT, Category, Weights};
use covey_core::encoder::{DIMENSIONS, Kernel};
use covey_core::error::{Reason, Refusal};
use covey_core::svaf::{self, Anchor, Features, Gate, Thresholds, Verdict};
use covey_core::text;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyTuple};

use crate::errors::{mapped, refused};
use crate::record::{Record, named, texts};

/// One category's part in a decision (MMP 2.0 §9.2.1).
#[pyclass(frozen, module = "covey._core")]
pub struct CategoryVerdict {
    category: Category,
    inner: svaf::CategoryVerdict,
}

#[pymethods]
impl CategoryVerdict {
    #[getter]
    fn name(&self) -> &'static str {
        self.category.name()
    }
    /// One of admit, guard, redundant, reject, silent.
    #[getter]
    fn verdict(&self) -> &'static str {
        self.inner.verdict.as_str()
    }
    /// Cosine distance to the weighted readout of memory; None when silent.
    #[getter]
    fn drift(&self) -> Option<f64> {
        self.inner.drift
    }
    /// Cosine distance to the nearest single anchor; None when silent.
    #[getter]
    fn nearest(&self) -> Option<f64> {
        self.inner.nearest
    }
    /// The receiver's weight for the category.
    #[getter]
    fn weight(&self) -> f64 {
        self.inner.weight
    }
    /// Why it is silent: no-text or no-anchor; None when it was compared.
    #[getter]
    fn cause(&self) -> Option<&'static str> {
        match self.inner.verdict {
            Verdict::Silent(cause) => Some(cause.as_str()),
            _ => None,
        }
    }
    fn __repr__(&self) -> String {
        let drift = self.inner.drift.map_or_else(String::new, |drift| format!(", drift {drift:.3}"));
        format!("CategoryVerdict({} {}{drift})", self.name(), self.verdict())
    }
}

/// A decision with everything it rests on. Drifts are cosine distances, 0 to 1 against memory.
#[pyclass(frozen, module = "covey._core")]
pub struct Evaluation {
    inner: svaf::Evaluation,
    gate: Gate,
}

impl Evaluation {
    /// Wrap what `gate` said.
    pub fn wrap(inner: &svaf::Evaluation, gate: &Gate) -> Self {
        Self { inner: *inner, gate: gate.clone() }
    }
}

#[pymethods]
impl Evaluation {
    /// One of aligned, guarded, redundant, rejected.
    #[getter]
    fn decision(&self) -> &'static str {
        self.inner.decision.as_str()
    }
    /// Whether memory takes the block.
    #[getter]
    fn accepted(&self) -> bool {
        self.inner.accepted()
    }
    #[getter]
    fn total_drift(&self) -> f64 {
        self.inner.total_drift
    }
    #[getter]
    fn field_drift(&self) -> f64 {
        self.inner.field_drift
    }
    #[getter]
    fn temporal_drift(&self) -> f64 {
        self.inner.temporal_drift
    }
    #[getter]
    fn max_nearest_drift(&self) -> f64 {
        self.inner.max_nearest_drift
    }
    /// The seven verdicts, in CAT7 order.
    #[getter]
    fn categories<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let verdicts =
            Category::ALL.map(|category| CategoryVerdict { category, inner: self.inner.categories[category.index()] });
        PyTuple::new(py, verdicts)
    }
    /// The numbers it was decided by, as the profile of `evaluate` names them.
    #[getter]
    fn thresholds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let numbers = self.gate.thresholds();
        let named = PyDict::new(py);
        named.set_item("stable", numbers.stable)?;
        named.set_item("guarded", numbers.guarded)?;
        named.set_item("temporal_lambda", numbers.temporal_lambda)?;
        named.set_item("redundancy", numbers.redundancy)?;
        named.set_item("freshness_seconds", numbers.freshness_seconds)?;
        named.set_item("decay_floor", numbers.decay_floor)?;
        Ok(named)
    }
    /// Why it came out so, in one line.
    #[getter]
    fn explanation(&self) -> String {
        self.gate.explain(&self.inner)
    }
    fn __repr__(&self) -> String {
        format!("Evaluation({}, total drift {:.3})", self.decision(), self.inner.total_drift)
    }
}

/// What a decision rests on beside its numbers.
#[pyclass(frozen, module = "covey._core")]
pub struct Basis {
    inner: svaf::Basis,
}

impl Basis {
    /// Wrap the grounds of a decision.
    pub fn wrap(inner: &svaf::Basis) -> Self {
        Self { inner: inner.clone() }
    }
}

#[pymethods]
impl Basis {
    /// Which path decided: baseline.
    #[getter]
    fn path(&self) -> &'static str {
        self.inner.path.as_str()
    }
    /// Id of the encoder whose vectors were compared.
    #[getter]
    fn kernel(&self) -> &str {
        &self.inner.kernel
    }
    /// How many blocks of memory it was compared with.
    #[getter]
    fn anchors(&self) -> usize {
        self.inner.anchors
    }
    /// The content key of the block each category lies nearest to, in CAT7 order; None where it was not compared.
    #[getter]
    fn nearest(&self) -> Vec<Option<String>> {
        self.inner.nearest.iter().map(|key| key.map(|key| key.to_string())).collect()
    }
    /// A parent the record names that memory held; None when there was none.
    #[getter]
    fn lineage(&self) -> Option<String> {
        self.inner.lineage.map(|key| key.to_string())
    }
    /// Whether it reports how something held turned out, so that repeating words counts for nothing (§6.7).
    #[getter]
    fn grounding(&self) -> bool {
        self.inner.grounding
    }
    /// By how much what others learned moved the total drift; None where nothing of it was asked.
    #[getter]
    fn moved(&self) -> Option<f64> {
        self.inner.moved
    }
    fn __repr__(&self) -> String {
        format!("Basis({}, {}, {} anchors)", self.path(), self.kernel(), self.anchors())
    }
}

/// Return the vector of a text: 32 floats of the kernel `ngram-h32`. A text without ASCII letters or digits gives zeros.
#[pyfunction]
#[pyo3(signature = (text, kernel="ngram-h32"))]
pub fn encode(py: Python<'_>, text: &str, kernel: &str) -> PyResult<Vec<f64>> {
    let found = Kernel::from_id(kernel).ok_or_else(|| {
        let known = Kernel::ALL.map(Kernel::id).join(", ");
        Refusal::new(Reason::InvalidArgument, format!("kernel: expected one of {known}, got `{kernel}`"))
    });
    let kernel = mapped(py, found)?;
    Ok(py.detach(|| kernel.encode(text)).to_vec())
}

/// A record, or its texts by category; absent categories count as "neutral", as they would be minted.
#[derive(FromPyObject)]
pub enum Texts<'py> {
    Record(PyRef<'py, Record>),
    Mapping(Bound<'py, PyMapping>),
}

impl Texts<'_> {
    fn features(&self, py: Python<'_>) -> PyResult<Features<DIMENSIONS>> {
        match self {
            Self::Record(record) => Ok(Features::of_texts(Kernel::NgramH32, record.inner.record().texts())),
            Self::Mapping(categories) => {
                let texts = texts(py, categories)?;
                let normal = texts.each_ref().map(|said| text::nfc(said));
                Ok(Features::of_texts(Kernel::NgramH32, normal.each_ref().map(AsRef::as_ref)))
            }
        }
    }
}

/// One anchor: a block, or a block and its age in seconds.
#[derive(FromPyObject)]
pub enum Held<'py> {
    Aged((Texts<'py>, f64)),
    Fresh(Texts<'py>),
}

impl Held<'_> {
    fn parts(&self) -> (&Texts<'_>, f64) {
        match self {
            Self::Aged((texts, age)) => (texts, *age),
            Self::Fresh(texts) => (texts, 0.0),
        }
    }
}

/// A published profile by name, or thresholds and weights.
#[derive(FromPyObject)]
pub enum Profile<'py> {
    Named(String),
    Mapping(Bound<'py, PyMapping>),
}

/// Judge a block as a receiver that holds `anchors` would (reference baseline, MMP 2.0 §9.2.1).
///
/// Args:
///     record: A record, or a mapping of category to text; absent categories count as "neutral".
///     anchors: What memory holds, newest first: records or mappings, or (one of them, its age in seconds) pairs.
///     profile: A published profile's name (§19), or a mapping with any of `weights` (category to number, absent ones 1;
///         or seven numbers), `stable`, `guarded`, `temporal_lambda`, `redundancy`, `freshness_seconds`, `decay_floor`.
///     age_seconds: The block's own age.
///
/// Raises:
///     CoreError: invalid_category or invalid_argument, naming what was expected.
#[pyfunction]
#[pyo3(signature = (record, anchors, profile=Profile::Named("uniform".to_owned()), *, age_seconds=0.0))]
pub fn evaluate(
    py: Python<'_>,
    record: Texts<'_>,
    anchors: Vec<Held<'_>>,
    profile: Profile<'_>,
    age_seconds: f64,
) -> PyResult<Evaluation> {
    let gate = gate(py, &profile)?;
    let incoming = record.features(py)?;
    let mut held = Vec::with_capacity(anchors.len());
    for anchor in &anchors {
        let (texts, age) = anchor.parts();
        held.push((texts.features(py)?, mapped(py, seconds("anchors", age))?));
    }
    let age_seconds = mapped(py, seconds("age_seconds", age_seconds))?;
    let inner = py.detach(|| {
        let anchors: Vec<_> =
            held.iter().map(|(features, age)| Anchor { features, decay: gate.decay(*age), confidence: 1.0 }).collect();
        gate.evaluate(&incoming, age_seconds, &anchors, false)
    });
    Ok(Evaluation { inner, gate })
}

/// Judge vectors that are already encoded: the published arithmetic by itself, whatever the encoder.
///
/// Args:
///     incoming: Category to vector, at most 32 numbers each; an absent category is silent.
///     anchors: What memory holds, in the same form.
///     profile: As in `evaluate`.
///     age_seconds: The block's own age.
///
/// Raises:
///     CoreError: invalid_category or invalid_argument, naming what was expected.
#[pyfunction]
#[pyo3(signature = (incoming, anchors, profile=Profile::Named("uniform".to_owned()), *, age_seconds=0.0))]
pub fn evaluate_vectors(
    py: Python<'_>,
    incoming: &Bound<'_, PyMapping>,
    anchors: Vec<Bound<'_, PyMapping>>,
    profile: Profile<'_>,
    age_seconds: f64,
) -> PyResult<Evaluation> {
    let gate = gate(py, &profile)?;
    let incoming = vectors(py, incoming)?;
    let held = anchors.iter().map(|anchor| vectors(py, anchor)).collect::<PyResult<Vec<_>>>()?;
    let age_seconds = mapped(py, seconds("age_seconds", age_seconds))?;
    let inner = py.detach(|| {
        let anchors: Vec<_> = held.iter().map(|features| Anchor { features, decay: 1.0, confidence: 1.0 }).collect();
        gate.evaluate(&incoming, age_seconds, &anchors, false)
    });
    Ok(Evaluation { inner, gate })
}

/// Read vectors by category; shorter ones are filled with zeros, which changes no angle.
fn vectors(py: Python<'_>, mapping: &Bound<'_, PyMapping>) -> PyResult<Features<DIMENSIONS>> {
    let mut found = [None; COUNT];
    for (category, numbers) in named::<Vec<f64>>(py, mapping)? {
        if numbers.len() > DIMENSIONS || numbers.iter().any(|number| !number.is_finite()) {
            let detail = format!("{}: expected at most {DIMENSIONS} finite numbers", category.name());
            return Err(refused(py, &Refusal::new(Reason::InvalidArgument, detail)));
        }
        let mut vector = [0.0; DIMENSIONS];
        vector[..numbers.len()].copy_from_slice(&numbers);
        found[category.index()] = Some(vector);
    }
    Ok(Features::from_vectors(found))
}

fn seconds(name: &str, age: f64) -> Result<f64, Refusal> {
    let usable = age.is_finite() && age >= 0.0;
    usable.then_some(age).ok_or_else(|| {
        Refusal::new(Reason::InvalidArgument, format!("{name}: expected an age in seconds of at least 0, got {age}"))
    })
}

fn gate(py: Python<'_>, profile: &Profile<'_>) -> PyResult<Gate> {
    match profile {
        Profile::Named(name) => {
            let found = category::profile(name).ok_or_else(|| {
                let known = category::PROFILES.map(|profile| profile.name).join(", ");
                Refusal::new(Reason::InvalidArgument, format!("profile: expected one of {known}, got `{name}`"))
            });
            mapped(py, found).map(|profile| Gate::of_profile(&profile))
        }
        Profile::Mapping(parts) => custom(py, parts, Thresholds::DEFAULT),
    }
}

/// A gate of the numbers that are named; the others stay.
pub fn custom(py: Python<'_>, parts: &Bound<'_, PyMapping>, mut thresholds: Thresholds) -> PyResult<Gate> {
    let mut weights = Weights::UNIFORM;
    for item in parts.items()?.iter() {
        let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
        let place = match name.as_str() {
            "weights" => {
                weights = weights_of(py, &value)?;
                continue;
            }
            "stable" => &mut thresholds.stable,
            "guarded" => &mut thresholds.guarded,
            "temporal_lambda" => &mut thresholds.temporal_lambda,
            "redundancy" => &mut thresholds.redundancy,
            "freshness_seconds" => &mut thresholds.freshness_seconds,
            "decay_floor" => &mut thresholds.decay_floor,
            _ => {
                let known = "weights, stable, guarded, temporal_lambda, redundancy, freshness_seconds, decay_floor";
                let detail = format!("profile: expected any of {known}, got `{name}`");
                return Err(refused(py, &Refusal::new(Reason::InvalidArgument, detail)));
            }
        };
        *place = value.extract()?;
    }
    mapped(py, Gate::new(weights, thresholds))
}

fn weights_of(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Weights> {
    let mut weights = *Weights::UNIFORM.as_array();
    match value.cast::<PyMapping>() {
        Ok(mapping) => {
            for (category, weight) in named::<f64>(py, mapping)? {
                weights[category.index()] = weight;
            }
        }
        Err(_) => weights = value.extract::<[f64; COUNT]>()?,
    }
    mapped(py, Weights::new(weights))
}
