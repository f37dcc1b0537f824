//! Python's view of what others learned: a prior for covey's own path, and the comparison of such vectors.

use covey_core::error::{Reason, Refusal};
use covey_core::svaf::{self, Code, Concept, Nearness};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::encoder::Encoder;
use crate::errors::mapped;

/// What others learned, as covey's own path takes it.
#[pyclass(frozen, module = "covey._core")]
pub struct Prior {
    /// The prior itself.
    pub inner: svaf::Prior,
}

#[pymethods]
impl Prior {
    /// Make a prior.
    ///
    /// Args:
    ///     encoder: Whose vectors they are.
    ///     concepts: (vector, pull) pairs: whole numbers one byte each, and -1 to 1: how much it counts, or against.
    ///     mass: Blocks of memory it counts as, at most 6.
    ///     nearness: Cosines at which a block is wholly foreign and wholly at home, in place of the encoder's own.
    ///
    /// Raises:
    ///     CoreError: invalid_argument.
    #[new]
    #[pyo3(signature = (encoder, concepts, mass, nearness=None))]
    fn new(
        py: Python<'_>,
        encoder: &Encoder,
        concepts: Vec<(Vec<u8>, f64)>,
        mass: f64,
        nearness: Option<(f64, f64)>,
    ) -> PyResult<Self> {
        let nearness =
            nearness.map_or_else(|| Nearness::of(&encoder.inner), |(foreign, home)| Nearness { foreign, home });
        let made = concepts
            .iter()
            .map(|(vector, pull)| {
                if vector.len() == encoder.inner.dimensions() {
                    Concept::new(&signed(vector), *pull)
                } else {
                    Err(refused("concept: a vector of another size"))
                }
            })
            .collect::<Result<Vec<_>, _>>()
            .and_then(|concepts| svaf::Prior::new(&encoder.inner, concepts, mass, nearness));
        mapped(py, made).map(|inner| Self { inner })
    }

    /// How much of the drift is the prior's beside that many blocks of memory.
    fn share(&self, held: usize) -> f64 {
        self.inner.share(held)
    }
}

/// Concepts as they grow: each vector goes to the concept it is most like, or begins one.
#[pyclass(module = "covey._core")]
pub struct Gather {
    inner: svaf::Gather,
}

#[pymethods]
impl Gather {
    /// Gather nothing yet; what is less like every concept than `alike` begins another, up to `capacity`.
    #[new]
    fn new(alike: f64, capacity: usize) -> Self {
        Self { inner: svaf::Gather::new(alike, capacity) }
    }

    /// Put a vector where it belongs, counted as `members`; return the place of its concept.
    ///
    /// Raises:
    ///     CoreError: invalid_argument: it is nothing, of another size than the others, or there is no room for any.
    #[pyo3(signature = (vector, members=1))]
    fn add(&mut self, py: Python<'_>, vector: &[u8], members: u32) -> PyResult<usize> {
        let read = code(vector)
            .and_then(|vector| self.inner.add(&vector, members).ok_or_else(|| refused("capacity: there is none")));
        mapped(py, read)
    }

    /// Return the place of the concept a vector is most like and the cosine; None where there is none.
    ///
    /// Raises:
    ///     CoreError: invalid_argument: it is nothing.
    fn nearest(&self, py: Python<'_>, vector: &[u8]) -> PyResult<Option<(usize, f64)>> {
        mapped(py, code(vector).map(|vector| self.inner.nearest(&vector)))
    }

    /// Return what a concept says where at least `members` of its members say something; None where that is nothing.
    #[pyo3(signature = (place, members=1))]
    fn vector<'py>(&self, py: Python<'py>, place: usize, members: u32) -> Option<Bound<'py, PyBytes>> {
        self.inner.code(place, members).map(|code| PyBytes::new(py, &bytes(&code)))
    }

    /// Return how many members a concept has.
    fn members(&self, place: usize) -> u32 {
        self.inner.members(place)
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }
}

/// The bytes of a vector, one for each number.
pub fn bytes(code: &Code) -> Vec<u8> {
    code.values().iter().map(|value| value.to_le_bytes()[0]).collect()
}

fn code(vector: &[u8]) -> Result<Code, Refusal> {
    Code::of_values(&signed(vector)).ok_or_else(|| refused("vector: it is nothing"))
}

fn refused(detail: &str) -> Refusal {
    Refusal::new(Reason::InvalidArgument, detail.to_owned())
}

fn signed(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|byte| i8::from_le_bytes([*byte])).collect()
}
