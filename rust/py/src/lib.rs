//! The native module `covey._core`: converts values and maps errors, nothing else.
use pyo3::prelude::*;

/// Native core of covey.
#[pymodule]
fn _core(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
