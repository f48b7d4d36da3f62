//! `Quota` as Python sees it.

use crate::arguments::{self, number, text, whole};
use crate::error::OrRaise;
use pyo3::prelude::*;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::quota::{self, Algorithm, Unit};
use ratelimit_guard_core::time::Nanos;

#[pyclass(frozen, eq, hash, module = "ratelimit_guard._core")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota(pub quota::Quota);

#[pymethods]
impl Quota {
    #[new]
    #[pyo3(
        signature = (limit, window_s, burst = None, algorithm = None, unit = Unit::Requests),
        text_signature = "(limit, window_s, burst=None, algorithm=None, unit='requests')",
    )]
    fn new(
        limit: &Bound<'_, PyAny>,
        window_s: &Bound<'_, PyAny>,
        burst: Option<&Bound<'_, PyAny>>,
        algorithm: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = unit_named)] unit: Unit,
    ) -> PyResult<Self> {
        let build = || {
            let algorithm = algorithm.map(|name| Algorithm::named(text("algorithm", name)?)).transpose()?;
            let burst = burst.map(|burst| whole("burst", quota::MAX_LIMIT, burst)).transpose()?;
            let limit = whole("limit", quota::MAX_LIMIT, limit)?;
            quota::Quota::new(limit, window(window_s)?, burst, algorithm, unit)
        };
        build().map(Self).or_raise(limit.py())
    }

    #[staticmethod]
    fn parse(text: &Bound<'_, PyAny>) -> PyResult<Self> {
        arguments::text("quota", text).and_then(quota::Quota::parse).map(Self).or_raise(text.py())
    }

    #[getter]
    fn limit(&self) -> u64 {
        self.0.limit()
    }
    #[getter]
    fn window_s(&self) -> f64 {
        self.0.window().as_secs_f64()
    }
    #[getter]
    fn burst(&self) -> Option<u64> {
        self.0.burst()
    }
    #[getter]
    fn algorithm(&self) -> &'static str {
        self.0.algorithm().name()
    }
    #[getter]
    fn unit(&self) -> &'static str {
        self.0.unit().name()
    }
    fn __str__(&self) -> String {
        self.0.to_string()
    }
    fn __repr__(&self) -> String {
        format!("Quota.parse({:?})", self.0.to_string())
    }
    fn __reduce__(&self, py: Python<'_>) -> PyResult<(Py<PyAny>, (String,))> {
        Ok((py.get_type::<Self>().getattr("parse")?.unbind(), (self.0.to_string(),)))
    }
}

fn unit_named(name: &Bound<'_, PyAny>) -> PyResult<Unit> {
    text("unit", name).and_then(Unit::named).or_raise(name.py())
}

/// The core knows the bounds; here only what is no time at all must be sorted out.
fn window(seconds: &Bound<'_, PyAny>) -> Result<Nanos, Error> {
    let wrong = |given| Error::config(format!("window must be 1 ms to 366 days, got {given}"));
    match number(seconds) {
        Ok(seconds) if seconds >= 0.0 => Ok(Nanos((seconds * 1e9).round() as u64)),
        Ok(seconds) => Err(wrong(format!("{seconds} s"))),
        Err(given) => Err(wrong(given)),
    }
}
