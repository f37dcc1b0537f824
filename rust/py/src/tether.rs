//! Python's view of the lineage tether (MMP 2.0 §15.8).

use covey_core::category::{COUNT, Weights};
use covey_core::encoder::Kernel;
use covey_core::error::{Reason, Refusal};
use covey_core::id::ContentKey;
use covey_core::svaf::Thresholds;
use covey_core::tether::{self, Attestation, Standing};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMapping};

use crate::errors::mapped;
use crate::identity::Identity;
use crate::keys;
use crate::record::named;

/// How a remix stands to the root of its lineage, in one kernel.
#[pyclass(frozen, module = "covey._core")]
pub struct Tether {
    inner: Standing,
    kernel: String,
}

#[pymethods]
impl Tether {
    /// Measure a remix against its root by their texts (category → text), in covey's own kernel.
    ///
    /// Args:
    ///     remix, root: Categories that say something.
    ///     weights: The integrator's weights by category; 1 each unless said.
    ///     floor: The drift above which its admission rejects.
    #[staticmethod]
    #[pyo3(signature = (remix, root, *, weights=None, floor=Thresholds::REFERENCE.guarded))]
    fn of_texts(
        py: Python<'_>,
        remix: &Bound<'_, PyMapping>,
        root: &Bound<'_, PyMapping>,
        weights: Option<&Bound<'_, PyMapping>>,
        floor: f64,
    ) -> PyResult<Self> {
        let (remix, root) = (said(py, remix)?, said(py, root)?);
        let weights = weighted(py, weights)?;
        let kernel = Kernel::NgramH32;
        let inner = py.detach(|| {
            let [remix, root] = [&remix, &root].map(|texts| texts.each_ref().map(String::as_str));
            tether::of_texts(kernel, remix, root, &weights, floor)
        });
        Ok(Self { inner, kernel: kernel.id().to_owned() })
    }

    /// Measure vectors (category → numbers) that a kernel named by its id made of both sides.
    #[staticmethod]
    #[pyo3(signature = (remix, root, *, kernel, weights=None, floor=Thresholds::REFERENCE.guarded))]
    fn of_vectors(
        py: Python<'_>,
        remix: &Bound<'_, PyMapping>,
        root: &Bound<'_, PyMapping>,
        kernel: String,
        weights: Option<&Bound<'_, PyMapping>>,
        floor: f64,
    ) -> PyResult<Self> {
        let (remix, root) = (vectors(py, remix)?, vectors(py, root)?);
        let [remix, root] = [&remix, &root].map(|side| std::array::from_fn(|index| side[index].as_deref()));
        let inner = tether::measure(&remix, &root, &weighted(py, weights)?, floor);
        Ok(Self { inner, kernel })
    }

    /// Whether anything could be compared.
    #[getter]
    fn checked(&self) -> bool {
        matches!(self.inner, Standing::Measured { .. })
    }
    /// Whether the remix may name its parents; what was not checked severs nothing.
    #[getter]
    fn tethered(&self) -> bool {
        self.inner.descends()
    }
    /// The weighted mean drift, 0 to 2; None when unchecked.
    #[getter]
    fn drift(&self) -> Option<f64> {
        match self.inner {
            Standing::Measured { drift, .. } => Some(drift),
            Standing::Unverified => None,
        }
    }
    /// The kernel it was measured in.
    #[getter]
    fn kernel(&self) -> &str {
        &self.kernel
    }

    /// Return the parents to mint with: these, or none where the lineage is severed.
    fn lineage(&self, parents: Vec<String>) -> Vec<String> {
        self.inner.lineage(parents)
    }

    /// Sign this verdict about a remix and its root (`mmp-tether-v1`).
    ///
    /// Raises:
    ///     CoreError: invalid_id for what is no content key, invalid_argument when nothing was measured.
    #[pyo3(signature = (identity, *, of, root, at_ms))]
    fn attest(
        &self,
        py: Python<'_>,
        identity: &Identity,
        of: &str,
        root: &str,
        at_ms: u64,
    ) -> PyResult<TetherAttestation> {
        let signed = (|| {
            let Standing::Measured { drift, verdict } = self.inner else {
                return Err(Refusal::new(
                    Reason::InvalidArgument,
                    "tether: nothing was measured, so nothing is attested",
                ));
            };
            let (of, root) = (ContentKey::parse(of)?.to_string(), ContentKey::parse(root)?.to_string());
            let by = identity.inner.node_id().to_string();
            Attestation::sign(&of, &root, &self.kernel, drift, verdict, &by, at_ms, identity.inner.key())
        })();
        mapped(py, signed).map(|inner| TetherAttestation { inner })
    }
}

/// A tether's verdict, as its integrator claims it.
#[pyclass(frozen, module = "covey._core")]
pub struct TetherAttestation {
    inner: Attestation,
}

#[pymethods]
impl TetherAttestation {
    /// Read one from JSON; members beside the published ones are passed over.
    #[staticmethod]
    fn parse(py: Python<'_>, json: &[u8]) -> PyResult<Self> {
        mapped(py, Attestation::parse(json)).map(|inner| Self { inner })
    }

    /// Check the signature under the key bound to `by`.
    fn verify(&self, py: Python<'_>, public_key: [u8; 32]) -> PyResult<()> {
        mapped(py, keys::checked(public_key).and_then(|key| self.inner.verify(&key)))
    }

    /// Say whether the drifts of two verdicts can be compared: only those of one kernel.
    fn is_comparable(&self, other: &Self) -> bool {
        self.inner.is_comparable(&other.inner)
    }

    /// The remix.
    #[getter]
    fn of(&self) -> &str {
        self.inner.of()
    }
    /// The root it was measured against.
    #[getter]
    fn root(&self) -> &str {
        self.inner.anchor()
    }
    /// The kernel it was measured in.
    #[getter]
    fn kernel(&self) -> &str {
        self.inner.kernel()
    }
    /// The measured drift.
    #[getter]
    fn drift(&self) -> f64 {
        self.inner.drift()
    }
    /// "tethered" or "severed".
    #[getter]
    fn verdict(&self) -> &'static str {
        self.inner.verdict().as_str()
    }
    /// The integrator.
    #[getter]
    fn by(&self) -> &str {
        self.inner.by()
    }
    /// The integrator's clock; information only.
    #[getter]
    fn at_ms(&self) -> u64 {
        self.inner.at()
    }

    /// Return the canonical signed bytes.
    fn payload<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.payload())
    }
    /// Return it as JSON bytes.
    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.to_json())
    }
    fn __repr__(&self) -> String {
        format!("TetherAttestation({} {} in {})", self.inner.of(), self.verdict(), self.inner.kernel())
    }
}

/// The texts that are there. A filler such as "neutral" counts as the text it is: who recomputes a verdict sees it too.
fn said(py: Python<'_>, mapping: &Bound<'_, PyMapping>) -> PyResult<[String; COUNT]> {
    let mut found: [String; COUNT] = Default::default();
    for (category, text) in named::<String>(py, mapping)? {
        found[category.index()] = text;
    }
    Ok(found)
}

fn vectors(py: Python<'_>, mapping: &Bound<'_, PyMapping>) -> PyResult<[Option<Vec<f64>>; COUNT]> {
    let mut found: [Option<Vec<f64>>; COUNT] = Default::default();
    for (category, numbers) in named::<Vec<f64>>(py, mapping)? {
        if numbers.iter().any(|number| !number.is_finite()) {
            let detail = format!("{}: expected finite numbers", category.name());
            return mapped(py, Err(Refusal::new(Reason::InvalidArgument, detail)));
        }
        found[category.index()] = Some(numbers);
    }
    Ok(found)
}

fn weighted(py: Python<'_>, weights: Option<&Bound<'_, PyMapping>>) -> PyResult<Weights> {
    let mut found = *Weights::UNIFORM.as_array();
    if let Some(mapping) = weights {
        for (category, weight) in named::<f64>(py, mapping)? {
            found[category.index()] = weight;
        }
    }
    mapped(py, Weights::new(found))
}

/// Put this room's classes into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Tether>()?;
    module.add_class::<TetherAttestation>()
}
