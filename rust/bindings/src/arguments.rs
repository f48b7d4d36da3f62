//! Arguments of a decision: keys and costs, as fast as Python hands them over.

use crate::error::exception;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use ratelimit_guard_core::error::Error;

/// Call `with` with the bytes of a key: those of a `bytes`, or UTF-8 of a `str` (lone surrogates as WTF-8).
#[inline]
pub fn with_key<T>(key: &Bound<'_, PyAny>, with: impl FnOnce(&[u8]) -> Result<T, Error>) -> PyResult<T> {
    let raise = |error| exception(key.py(), &error);
    if let Ok(text) = key.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => with(text.as_bytes()).map_err(raise),
            Err(_) => {
                let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
                with(bytes.cast::<PyBytes>()?.as_bytes()).map_err(raise)
            }
        };
    }
    match key.cast::<PyBytes>() {
        Ok(bytes) => with(bytes.as_bytes()).map_err(raise),
        Err(_) => Err(raise(Error::usage(format!("key must be str or bytes, got {}", type_name(key))))),
    }
}

/// Units to take. Anything beyond 64 bits is more than every limit.
#[derive(Clone, Copy)]
pub struct Cost(pub u64);

impl<'py> FromPyObject<'_, 'py> for Cost {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let py = value.py();
        value.extract::<u64>().map(Self).or_else(|trouble| {
            let wrong =
                |what: String| exception(py, &Error::usage(format!("cost must be a whole number from 0, got {what}")));
            if !trouble.is_instance_of::<PyOverflowError>(py) {
                return Err(wrong(type_name(&value)));
            }
            if value.lt(0)? { Err(wrong(value.str()?.to_string())) } else { Ok(Self(u64::MAX)) }
        })
    }
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "something else".into(), |name| name.to_string())
}
