//! The clocks that Python may choose.

use crate::arguments::number;
use crate::error::{OrRaise, exception};
use pyo3::prelude::*;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::time::{Clock, Nanos};
use ratelimit_guard_host::clock::{Manual, Monotonic};
use std::sync::Arc;

#[pyclass(frozen, module = "ratelimit_guard._core")]
pub struct ManualClock(Arc<Manual>);

#[pymethods]
impl ManualClock {
    #[new]
    #[pyo3(signature = (start_s = 1_000_000.0))]
    fn new(py: Python<'_>, #[pyo3(from_py_with = seconds)] start_s: f64) -> PyResult<Self> {
        Manual::new(start_s).map(|clock| Self(Arc::new(clock))).or_raise(py)
    }

    fn advance(&self, py: Python<'_>, #[pyo3(from_py_with = seconds)] seconds: f64) -> PyResult<()> {
        self.0.advance(seconds).or_raise(py)
    }

    fn set(&self, py: Python<'_>, #[pyo3(from_py_with = seconds)] seconds: f64) -> PyResult<()> {
        self.0.set(seconds).or_raise(py)
    }

    fn now(&self) -> f64 {
        self.0.now().as_secs_f64()
    }
}

fn seconds(value: &Bound<'_, PyAny>) -> PyResult<f64> {
    number(value)
        .map_err(|given| exception(value.py(), &Error::usage(format!("clock needs a number of seconds, got {given}"))))
}

/// The machine's clock, or one that moves only when told to.
pub enum AnyClock {
    Machine,
    Manual(Arc<Manual>),
}

impl From<Option<&ManualClock>> for AnyClock {
    fn from(clock: Option<&ManualClock>) -> Self {
        clock.map_or(Self::Machine, |clock| Self::Manual(clock.0.clone()))
    }
}

impl Clock for AnyClock {
    #[inline]
    fn now(&self) -> Nanos {
        match self {
            Self::Machine => Monotonic.now(),
            Self::Manual(clock) => clock.now(),
        }
    }
}
