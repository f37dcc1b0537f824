//! One mapping from native refusals to the one Python exception.

use covey_core::Refusal;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    covey._core,
    CoreError,
    PyException,
    "A native refusal: `reason` is a stable word, `detail` is for a person, `code` is the protocol's error code or None."
);

/// Make the Python exception of a reason, a detail and a protocol code.
pub fn core_error(py: Python<'_>, reason: &str, detail: &str, code: Option<u16>) -> PyErr {
    let error = CoreError::new_err(format!("{reason}: {detail}"));
    let value = error.value(py);
    let named = value
        .setattr("reason", reason)
        .and_then(|()| value.setattr("detail", detail))
        .and_then(|()| value.setattr("code", code));
    match named {
        Ok(()) => error,
        Err(failure) => failure,
    }
}

/// Make the Python exception of a refusal.
pub fn refused(py: Python<'_>, refusal: &Refusal) -> PyErr {
    core_error(py, refusal.reason.as_str(), &refusal.detail, refusal.reason.code())
}

/// Shorthand: map a native result onto a Python one.
pub fn mapped<T>(py: Python<'_>, result: Result<T, Refusal>) -> PyResult<T> {
    result.map_err(|refusal| refused(py, &refusal))
}
