//! `MinHashLSH` as Python sees it.

use crate::arguments::{number, whole, word};
use crate::error::{OrRaise, exception};
use crate::minhash::MinHash;
use pyo3::prelude::*;
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::sketch::lsh::{Lsh, MAX_BANDS, MAX_CAPACITY, banding};
use ratelimit_guard_core::sketch::minhash::{MAX_PERM, NUM_PERM};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sketches of one seed only: hashes of another mean nothing here.
struct State {
    index: Lsh,
    seed: Option<u64>,
}

#[pyclass(frozen, module = "ratelimit_guard.sketch")]
pub struct MinHashLSH {
    state: Mutex<State>,
    threshold: f64,
}

impl MinHashLSH {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self, seed: u64) -> Result<(), Error> {
        match self.seed {
            Some(mine) if mine != seed => {
                Err(Error::usage(format!("the index holds sketches of seed {mine}, this one has {seed}: use one seed")))
            }
            _ => Ok(()),
        }
    }
}

#[pymethods]
impl MinHashLSH {
    #[new]
    #[pyo3(signature = (capacity, threshold = None, bands = None, rows = None),
           text_signature = "(capacity, threshold=0.5, bands=None, rows=None)")]
    fn new(
        capacity: &Bound<'_, PyAny>,
        threshold: Option<&Bound<'_, PyAny>>,
        bands: Option<&Bound<'_, PyAny>>,
        rows: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = capacity.py();
        let threshold = threshold.map_or(Ok(0.5), share)?;
        let size = |what, most: usize, value| whole(what, most as u64, value).map(|value| value as usize);
        let make = || {
            let (bands, rows) = match (bands, rows) {
                (Some(bands), Some(rows)) => (size("bands", MAX_BANDS, bands)?, size("rows", MAX_PERM, rows)?),
                (None, None) => banding(threshold, NUM_PERM),
                _ => return Err(Error::config("bands and rows belong together: give both, or neither")),
            };
            Lsh::new(size("capacity", MAX_CAPACITY, capacity)?, bands, rows)
        };
        let index = make().or_raise(py)?;
        Ok(Self { state: Mutex::new(State { index, seed: None }), threshold })
    }

    #[getter]
    fn bands(&self) -> usize {
        self.lock().index.bands()
    }
    #[getter]
    fn rows(&self) -> usize {
        self.lock().index.rows()
    }
    #[getter]
    fn capacity(&self) -> usize {
        self.lock().index.capacity()
    }
    #[getter]
    fn threshold(&self) -> f64 {
        self.threshold
    }
    #[getter]
    fn size_bytes(&self) -> usize {
        self.lock().index.size_bytes()
    }

    fn insert(&self, key: &Bound<'_, PyAny>, minhash: &MinHash) -> PyResult<()> {
        let wrong = |given| Error::usage(format!("key must be a whole number from 0 to 2**64 - 1, got {given}"));
        let number = word(key).map_err(wrong).or_raise(key.py())?;
        let sketch = minhash.lock();
        let mut state = self.lock();
        let inserted = state.check(minhash.seed).and_then(|()| state.index.insert(number, &sketch));
        state.seed = state.seed.or(inserted.is_ok().then_some(minhash.seed));
        drop((sketch, state));
        inserted.or_raise(key.py())
    }

    fn query(&self, py: Python<'_>, minhash: &MinHash) -> PyResult<Vec<u64>> {
        let sketch = minhash.lock();
        let state = self.lock();
        let found = state.check(minhash.seed).and_then(|()| state.index.query(&sketch, self.threshold));
        drop((sketch, state));
        Ok(found.or_raise(py)?.iter().map(|found| found.key).collect())
    }

    #[pyo3(signature = (minhash, threshold = None))]
    fn search(
        &self,
        py: Python<'_>,
        minhash: &MinHash,
        threshold: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<(u64, f64)>> {
        let threshold = threshold.map_or(Ok(self.threshold), share)?;
        let sketch = minhash.lock();
        let state = self.lock();
        let found = state.check(minhash.seed).and_then(|()| state.index.query(&sketch, threshold));
        drop((sketch, state));
        Ok(found.or_raise(py)?.iter().map(|found| (found.key, found.similarity)).collect())
    }

    fn is_empty(&self) -> bool {
        self.lock().index.is_empty()
    }

    fn __len__(&self) -> usize {
        self.lock().index.len()
    }
    fn __repr__(&self) -> String {
        format!("MinHashLSH(capacity={}, threshold={})", self.capacity(), self.threshold)
    }
}

fn share(value: &Bound<'_, PyAny>) -> PyResult<f64> {
    let given = match number(value) {
        Ok(number) if number > 0.0 && number <= 1.0 => return Ok(number),
        Ok(number) => number.to_string(),
        Err(given) => given,
    };
    Err(exception(value.py(), &Error::config(format!("threshold must be above 0 and at most 1, got {given}"))))
}
