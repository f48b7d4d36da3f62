//! `Quota` as Python sees it.

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
    #[pyo3(signature = (limit, window_s, burst = None, algorithm = None, unit = "requests"))]
    fn new(
        py: Python<'_>,
        limit: i128,
        window_s: f64,
        burst: Option<i128>,
        algorithm: Option<&str>,
        unit: &str,
    ) -> PyResult<Self> {
        let build = || {
            let algorithm = algorithm.map(Algorithm::named).transpose()?;
            let burst = burst.map(|burst| whole("burst", burst)).transpose()?;
            quota::Quota::new(whole("limit", limit)?, window(window_s)?, burst, algorithm, Unit::named(unit)?)
        };
        build().map(Self).or_raise(py)
    }

    #[staticmethod]
    fn parse(py: Python<'_>, text: &str) -> PyResult<Self> {
        quota::Quota::parse(text).map(Self).or_raise(py)
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

fn whole(what: &str, value: i128) -> Result<u64, Error> {
    u64::try_from(value).map_err(|_| Error::config(format!("{what} must be 1 to {}, got {value}", quota::MAX_LIMIT)))
}

fn window(seconds: f64) -> Result<Nanos, Error> {
    if seconds.is_finite() && seconds >= 0.0 {
        return Ok(Nanos((seconds * 1e9).round() as u64));
    }
    Err(Error::config(format!("window must be 1 ms to 366 days, got {seconds} s")))
}
