//! The clocks that Python may choose.

use crate::error::OrRaise;
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
    fn new(py: Python<'_>, start_s: f64) -> PyResult<Self> {
        Ok(Self(Arc::new(Manual::new(nanos(start_s).or_raise(py)?))))
    }

    fn advance(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let distance = nanos(seconds.abs()).or_raise(py)?.0 as i64;
        self.0.advance(if seconds < 0.0 { -distance } else { distance });
        Ok(())
    }

    fn set(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        self.0.set(nanos(seconds).or_raise(py)?);
        Ok(())
    }

    fn now(&self) -> f64 {
        self.0.now().as_secs_f64()
    }
}

fn nanos(seconds: f64) -> Result<Nanos, Error> {
    if seconds.is_finite() && seconds >= 0.0 {
        return Ok(Nanos((seconds * 1e9).round() as u64).min(Nanos::LAST));
    }
    Err(Error::usage(format!("clock cannot show {seconds} s: give a finite number from 0")))
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
