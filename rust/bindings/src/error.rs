//! Core errors as exceptions of `ratelimit_guard.errors`.

use pyo3::prelude::*;
use ratelimit_guard_core::error::{Error, Fault};

pub trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T, Error> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}

#[cold]
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error.fault() {
        Fault::Config => "ConfigError",
        Fault::Store => "StoreError",
        Fault::Usage => "UsageError",
    };
    let raise = || py.import("ratelimit_guard.errors")?.getattr(class)?.call1((error.to_string(),));
    raise().map_or_else(|trouble| trouble, PyErr::from_value)
}
