//! `Detector`: prompts in, verdicts out.

use crate::arguments::{whole, with_text};
use crate::error::OrRaise;
use crate::prompt::{Prompt, seed_of};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use ratelimit_guard_core::detector::accounts::Forgotten;
use ratelimit_guard_core::detector::profile::Observation;
use ratelimit_guard_core::detector::signal::{CONVICTING, Signal};
use ratelimit_guard_core::detector::threshold::{Thresholds, nominal};
use ratelimit_guard_core::detector::{self, Assessment};
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::Seed;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Profiles kept unless told otherwise: 100 MiB when all are in use.
pub const DEFAULT_CAPACITY: usize = 1 << 16;
const MAX_CAPACITY: u64 = 1 << 24;

#[pyclass(frozen, subclass, module = "ratelimit_guard._core")]
pub struct Detector {
    detector: Mutex<detector::Detector>,
    seed: Seed,
}

/// What is enough: `guard` is None without history, else the highest honest evidence of each convicting signal.
pub fn thresholds(alpha: &Bound<'_, PyAny>, guard: Option<[f64; CONVICTING]>) -> Result<Thresholds, Error> {
    let alpha = crate::arguments::number(alpha);
    let alpha = alpha.map_err(|given| Error::config(format!("alpha must be a rate between 0 and 1, got {given}")))?;
    Thresholds::new(alpha, guard)
}

pub fn capacity(capacity: &Bound<'_, PyAny>) -> Result<usize, Error> {
    match whole("capacity", MAX_CAPACITY, capacity)? {
        capacity @ 1..=MAX_CAPACITY => Ok(capacity as usize),
        capacity => Err(Error::config(format!("capacity must be 1 to {MAX_CAPACITY} accounts, got {capacity}"))),
    }
}

/// Thresholds by the names of the signals.
pub fn by_name<'py>(py: Python<'py>, thresholds: &Thresholds) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    Signal::ALL.iter().try_for_each(|&signal| dict.set_item(signal.name(), thresholds.of(signal)))?;
    Ok(dict)
}

/// Counts of forgotten profiles by their names.
pub fn forgotten<'py>(py: Python<'py>, forgotten: &Forgotten) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("newcomers", forgotten.newcomers)?;
    dict.set_item("established", forgotten.established)?;
    dict.set_item("convicted", forgotten.convicted)?;
    Ok(dict)
}

#[pymethods]
impl Detector {
    #[new]
    fn new(
        py: Python<'_>,
        secret: &Bound<'_, PyBytes>,
        alpha: &Bound<'_, PyAny>,
        guard: Option<[f64; CONVICTING]>,
        capacity: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let make = || {
            let detector = detector::Detector::new(thresholds(alpha, guard)?, self::capacity(capacity)?);
            Ok(Self { detector: Mutex::new(detector), seed: seed_of(secret.as_bytes())? })
        };
        make().or_raise(py)
    }

    #[pyo3(signature = (account, prompt, *, time, answer_tokens = None, declared = false))]
    fn observe(
        &self,
        account: &Bound<'_, PyAny>,
        prompt: &Bound<'_, Prompt>,
        time: f64,
        answer_tokens: Option<Tokens>,
        declared: bool,
    ) -> PyResult<Verdict> {
        let key = with_text("account", account, |name| {
            if !time.is_finite() {
                return Err(Error::usage(format!("time must be a number of seconds, got {time}")));
            }
            Ok(self.seed.digest(name).0[0])
        })?;
        let answer_tokens = answer_tokens.map(|Tokens(tokens)| tokens);
        let seen = Observation { facts: &prompt.get().facts, answer_tokens, time: time as u64, is_declared: declared };
        Ok(Verdict(self.lock().observe(key, &seen)))
    }

    fn forget(&self, account: &Bound<'_, PyAny>) -> PyResult<bool> {
        let key = with_text("account", account, |name| Ok(self.seed.digest(name).0[0]))?;
        Ok(self.lock().accounts.remove(key))
    }

    #[getter]
    fn thresholds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let thresholds = *self.lock().thresholds();
        by_name(py, &thresholds)
    }

    #[getter]
    fn forgotten<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.lock().accounts.forgotten;
        forgotten(py, &counts)
    }

    fn __len__(&self) -> usize {
        self.lock().accounts.len()
    }
}

impl Detector {
    fn lock(&self) -> MutexGuard<'_, detector::Detector> {
        self.detector.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tokens of an answer, as many as 32 bits hold.
struct Tokens(u32);

impl<'py> FromPyObject<'_, 'py> for Tokens {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let number = value.extract::<i64>().or_else(|trouble| {
            let too_large = trouble.is_instance_of::<PyOverflowError>(value.py());
            if too_large { Ok(if value.gt(0)? { i64::MAX } else { 0 }) } else { Err(trouble) }
        })?;
        Ok(Self(number.clamp(0, i64::from(u32::MAX)) as u32))
    }
}

#[pyclass(frozen, module = "ratelimit_guard.detector")]
pub struct Verdict(Assessment);

#[pymethods]
impl Verdict {
    #[getter]
    fn level(&self) -> &'static str {
        self.0.level.name()
    }
    #[getter]
    fn score(&self) -> f64 {
        self.0.score
    }
    #[getter]
    fn requests(&self) -> u32 {
        self.0.requests
    }
    #[getter]
    fn shown(&self) -> Vec<&'static str> {
        let shown = |signal: &Signal| self.0.events[*signal as usize] == Some(true);
        Signal::ALL.into_iter().filter(shown).map(Signal::name).collect()
    }
    #[getter]
    fn evidence<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        Signal::ALL.iter().try_for_each(|&signal| dict.set_item(signal.name(), self.0.evidence[signal as usize]))?;
        Ok(dict)
    }
    fn __repr__(&self) -> String {
        format!("Verdict(level={:?}, score={:.3}, requests={})", self.level(), self.score(), self.requests())
    }
}

pub fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "detector")?;
    module.add_class::<Detector>()?;
    module.add_class::<Verdict>()?;
    module.add("DEFAULT_CAPACITY", DEFAULT_CAPACITY)?;
    module.add("SUSPECT", detector::threshold::SUSPECT)?;
    module.add("LEARNING_ACCOUNTS", detector::LEARNING_ACCOUNTS)?;
    let signals = Signal::ALL.map(|signal| (signal.name(), signal.convicts(), signal.hypothesis().honest));
    module.add("SIGNALS", PyTuple::new(py, signals)?)?;
    module.add_function(wrap_pyfunction!(nominal_evidence, &module)?)?;
    Ok(module)
}

#[pyfunction]
fn nominal_evidence(alpha: f64) -> f64 {
    nominal(alpha)
}
