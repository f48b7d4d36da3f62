//! `HyperLogLog` as Python sees it.

use crate::arguments::{each, seed, with_value, word};
use crate::error::{OrRaise, exception};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::sketch::hyperloglog;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// First byte of `to_bytes`, before the seed (8 bytes, lowest first) and the registers.
const FORMAT: u8 = 1;

/// No Python code runs while the lock is held, so that nothing can wait for itself.
#[pyclass(frozen, module = "ratelimit_guard.sketch")]
pub struct HyperLogLog {
    sketch: Mutex<hyperloglog::HyperLogLog>,
    seed: u64,
}

impl HyperLogLog {
    fn with(sketch: hyperloglog::HyperLogLog, seed: u64) -> Self {
        Self { sketch: Mutex::new(sketch), seed }
    }

    fn lock(&self) -> MutexGuard<'_, hyperloglog::HyperLogLog> {
        self.sketch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let seed = Seed::from_number(self.seed);
        let hash = with_value(value, |bytes| Ok(seed.digest(bytes).0[0]))?;
        self.lock().add_hash(hash);
        Ok(())
    }

    fn take_in(&self, other: &Self) -> Result<(), Error> {
        if self.seed != other.seed {
            let (mine, theirs) = (self.seed, other.seed);
            return Err(Error::usage(format!("sketches of seed {mine} and {theirs} do not merge: use one seed")));
        }
        let theirs = other.lock().clone(); // one lock at a time: two threads may merge both ways
        self.lock().merge(&theirs)
    }
}

#[pymethods]
impl HyperLogLog {
    #[new]
    #[pyo3(signature = (p = 8, seed = 1))]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = precision)] p: u64,
        #[pyo3(from_py_with = seed)] seed: u64,
    ) -> PyResult<Self> {
        hyperloglog::HyperLogLog::new(p).map(|sketch| Self::with(sketch, seed)).or_raise(py)
    }

    #[staticmethod]
    #[pyo3(signature = (*others))]
    fn union(others: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let sketches: Vec<PyRef<'_, Self>> = others.extract()?;
        let [first, rest @ ..] = &sketches[..] else {
            return Err(exception(others.py(), &Error::usage("union needs a HyperLogLog at least, got none")));
        };
        let union = first.copy();
        rest.iter().try_for_each(|other| union.take_in(other)).or_raise(others.py())?;
        Ok(union)
    }

    #[staticmethod]
    fn from_bytes(data: &Bound<'_, PyBytes>) -> PyResult<Self> {
        let read = || match data.as_bytes().split_first_chunk::<9>() {
            Some(([FORMAT, seed @ ..], registers)) => {
                Ok((hyperloglog::HyperLogLog::from_registers(registers)?, u64::from_le_bytes(*seed)))
            }
            _ => Err(Error::usage("not the bytes of a HyperLogLog: another format")),
        };
        read().map(|(sketch, seed)| Self::with(sketch, seed)).or_raise(data.py())
    }

    #[getter]
    fn p(&self) -> u32 {
        self.lock().p()
    }
    #[getter]
    fn seed(&self) -> u64 {
        self.seed
    }

    fn update(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.add(value)
    }

    fn update_batch(&self, values: &Bound<'_, PyAny>) -> PyResult<()> {
        each(values, |value| self.add(&value))
    }

    fn count(&self) -> f64 {
        self.lock().count()
    }

    fn merge(&self, py: Python<'_>, other: PyRef<'_, Self>) -> PyResult<()> {
        self.take_in(&other).or_raise(py)
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn clear(&self) {
        self.lock().clear();
    }

    fn copy(&self) -> Self {
        Self::with(self.lock().clone(), self.seed)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let sketch = self.lock();
        PyBytes::new(py, &[&[FORMAT][..], &self.seed.to_le_bytes(), sketch.registers()].concat())
    }

    fn __len__(&self) -> usize {
        self.lock().registers().len()
    }
    fn __eq__(&self, other: &Self) -> bool {
        let theirs = other.lock().clone();
        self.seed == other.seed && *self.lock() == theirs
    }
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Py<PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((py.get_type::<Self>().getattr("from_bytes")?.unbind(), (self.to_bytes(py),)))
    }
    fn __repr__(&self) -> String {
        format!("HyperLogLog(p={}, seed={})", self.p(), self.seed)
    }
}

fn precision(p: &Bound<'_, PyAny>) -> PyResult<u64> {
    let wrong =
        |given| Error::config(format!("p must be {} to {}, got {given}", hyperloglog::MIN_P, hyperloglog::MAX_P));
    word(p).map_err(wrong).or_raise(p.py())
}
