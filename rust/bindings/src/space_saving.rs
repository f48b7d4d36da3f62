//! `SpaceSaving` as Python sees it.

use crate::arguments::word;
use crate::error::OrRaise;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::sketch::space_saving::{self, Counter, MAX_CAPACITY};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// No Python code runs while the lock is held, so that nothing can wait for itself.
#[pyclass(frozen, module = "ratelimit_guard.sketch")]
pub struct SpaceSaving(Mutex<space_saving::SpaceSaving>);

impl SpaceSaving {
    fn lock(&self) -> MutexGuard<'_, space_saving::SpaceSaving> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl SpaceSaving {
    #[new]
    fn new(py: Python<'_>, #[pyo3(from_py_with = capacity_of)] capacity: u64) -> PyResult<Self> {
        space_saving::SpaceSaving::new(capacity, secret()).map(|sketch| Self(Mutex::new(sketch))).or_raise(py)
    }

    #[staticmethod]
    fn from_bytes(data: &Bound<'_, PyBytes>) -> PyResult<Self> {
        let sketch = space_saving::SpaceSaving::from_bytes(data.as_bytes(), secret());
        sketch.map(|sketch| Self(Mutex::new(sketch))).or_raise(data.py())
    }

    #[getter]
    fn capacity(&self) -> usize {
        self.lock().capacity()
    }
    #[getter]
    fn total(&self) -> u64 {
        self.lock().total()
    }

    #[pyo3(signature = (item, count = 1))]
    fn update(&self, #[pyo3(from_py_with = item_of)] item: u64, #[pyo3(from_py_with = count_of)] count: u64) {
        self.lock().update(item, count);
    }

    #[pyo3(signature = (k = 10))]
    fn top(&self, #[pyo3(from_py_with = k_of)] k: u64) -> Vec<(u64, u64, u64)> {
        let top = self.lock().top(k.min(MAX_CAPACITY) as usize);
        top.into_iter().map(|Counter { item, count, error }| (item, count, error)).collect()
    }

    fn estimate(&self, #[pyo3(from_py_with = item_of)] item: u64) -> (u64, u64) {
        self.lock().estimate(item)
    }

    fn merge(&self, py: Python<'_>, other: PyRef<'_, Self>) -> PyResult<()> {
        let theirs = other.lock().clone(); // one lock at a time: two threads may merge both ways
        self.lock().merge(&theirs).or_raise(py)
    }

    fn copy(&self) -> Self {
        Self(Mutex::new(self.lock().clone()))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.lock().to_bytes())
    }

    fn __len__(&self) -> usize {
        self.lock().len()
    }
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Py<PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((py.get_type::<Self>().getattr("from_bytes")?.unbind(), (self.to_bytes(py),)))
    }
    fn __repr__(&self) -> String {
        let sketch = self.lock();
        format!("<SpaceSaving of {} items, {} of {} counters used>", sketch.total(), sketch.len(), sketch.capacity())
    }
}

/// Nobody outside can know where the index keeps an item.
fn secret() -> u64 {
    RandomState::new().hash_one(0)
}

fn capacity_of(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let wrong = |given| Error::config(format!("capacity must be 1 to {MAX_CAPACITY} counters, got {given}"));
    word(value).map_err(wrong).or_raise(value.py())
}

fn item_of(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let what = "item must be a whole number from 0 to 2**64 - 1, such as a hash & (2**64 - 1)";
    word(value).map_err(|given| Error::usage(format!("{what}, got {given}"))).or_raise(value.py())
}

fn count_of(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let what = "count must be a whole number from 0 to 2**64 - 1, since a sketch counts upwards only";
    word(value).map_err(|given| Error::usage(format!("{what}, got {given}"))).or_raise(value.py())
}

fn k_of(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let what = "k must be a whole number from 0 to 2**64 - 1";
    word(value).map_err(|given| Error::usage(format!("{what}, got {given}"))).or_raise(value.py())
}
