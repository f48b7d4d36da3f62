//! `MinHash` as Python sees it.

use crate::arguments::{each, seed, with_text, with_value, word};
use crate::error::{OrRaise, exception};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use ratelimit_guard_core::error::Error;
use ratelimit_guard_core::hash::Seed;
use ratelimit_guard_core::prompt::text::{Scratch, add_text};
use ratelimit_guard_core::prompt::words::Keys;
use ratelimit_guard_core::sketch::minhash::{self, MAX_PERM, NUM_PERM};
use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Texts and bodies from here on are read without the interpreter lock: then it pays.
pub const DETACH_BYTES: usize = 256 << 10;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Call `with` with this thread's buffers.
pub fn with_scratch<T>(with: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(with)
}

/// No Python code runs while the lock is held, so that nothing can wait for itself.
#[pyclass(frozen, module = "ratelimit_guard.sketch")]
pub struct MinHash {
    sketch: Mutex<minhash::MinHash>,
    pub seed: u64,
}

impl MinHash {
    pub fn with(sketch: minhash::MinHash, seed: u64) -> Self {
        Self { sketch: Mutex::new(sketch), seed }
    }

    pub fn lock(&self) -> MutexGuard<'_, minhash::MinHash> {
        self.sketch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self) -> Seed {
        Seed::from_number(self.seed)
    }

    fn hash(&self, value: &Bound<'_, PyAny>) -> PyResult<u32> {
        with_value(value, |bytes| Ok(((self.key().digest(bytes).0[0] >> 32) as u32).max(1)))
    }

    /// The other's state, to be held together with a lock of this one: two threads may ask both ways.
    fn comparable(&self, other: &Self) -> Result<minhash::MinHash, Error> {
        let theirs = other.lock().clone();
        let (mine, num_perm) = (self.lock().values().len(), theirs.values().len());
        if self.seed != other.seed || mine != num_perm {
            let said = |seed, num_perm| format!("num_perm={num_perm}, seed={seed}");
            let (mine, theirs) = (said(self.seed, mine), said(other.seed, num_perm));
            return Err(Error::usage(format!("sketches of {mine} and {theirs} cannot be compared: make both alike")));
        }
        Ok(theirs)
    }
}

#[pymethods]
impl MinHash {
    #[new]
    #[pyo3(signature = (num_perm = NUM_PERM, seed = 1), text_signature = "(num_perm=128, seed=1)")]
    fn new(#[pyo3(from_py_with = permutations)] num_perm: usize, #[pyo3(from_py_with = seed)] seed: u64) -> Self {
        Self::with(minhash::MinHash::new(num_perm), seed)
    }

    #[staticmethod]
    #[pyo3(signature = (text, num_perm = NUM_PERM, seed = 1), text_signature = "(text, num_perm=128, seed=1)")]
    fn from_text(
        text: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = permutations)] num_perm: usize,
        #[pyo3(from_py_with = seed)] seed: u64,
    ) -> PyResult<Self> {
        let made = Self::with(minhash::MinHash::new(num_perm), seed);
        let keys = Keys::new(made.key());
        with_text("text", text, |bytes| {
            let read = || with_scratch(|scratch| add_text(&mut made.lock(), bytes, &keys, scratch));
            if bytes.len() < DETACH_BYTES {
                read()
            } else {
                text.py().detach(read)
            };
            Ok(())
        })?;
        Ok(made)
    }

    #[staticmethod]
    #[pyo3(signature = (*others))]
    fn union(others: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let sketches: Vec<PyRef<'_, Self>> = others.extract()?;
        let [first, rest @ ..] = &sketches[..] else {
            return Err(exception(others.py(), &Error::usage("union needs a MinHash at least, got none")));
        };
        let union = first.copy();
        rest.iter().try_for_each(|other| union.merge(others.py(), other))?;
        Ok(union)
    }

    #[staticmethod]
    fn from_bytes(data: &Bound<'_, PyBytes>) -> PyResult<Self> {
        let read = minhash::MinHash::from_bytes(data.as_bytes());
        read.map(|(sketch, seed)| Self::with(sketch, seed)).or_raise(data.py())
    }

    #[getter]
    fn num_perm(&self) -> usize {
        self.lock().values().len()
    }
    #[getter]
    fn seed(&self) -> u64 {
        self.seed
    }
    #[getter]
    fn hashvalues(&self) -> Vec<u32> {
        self.lock().values().to_vec()
    }

    fn update(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let hash = self.hash(value)?;
        self.lock().add(&[hash]);
        Ok(())
    }

    fn update_batch(&self, values: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut hashes = Vec::new();
        each(values, |value| {
            hashes.push(self.hash(&value)?);
            Ok(())
        })?;
        self.lock().add(&hashes);
        Ok(())
    }

    fn jaccard(&self, py: Python<'_>, other: &Self) -> PyResult<f64> {
        let theirs = self.comparable(other).or_raise(py)?;
        Ok(self.lock().jaccard(&theirs))
    }

    fn merge(&self, py: Python<'_>, other: &Self) -> PyResult<()> {
        let theirs = self.comparable(other).or_raise(py)?;
        self.lock().merge(&theirs);
        Ok(())
    }

    fn count(&self) -> f64 {
        self.lock().count()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn is_exact(&self) -> bool {
        self.lock().set().is_some()
    }

    fn clear(&self) {
        let mut sketch = self.lock();
        *sketch = minhash::MinHash::new(sketch.values().len());
    }

    fn copy(&self) -> Self {
        Self::with(self.lock().clone(), self.seed)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.lock().to_bytes(self.seed))
    }

    fn __len__(&self) -> usize {
        self.num_perm()
    }
    fn __eq__(&self, other: &Self) -> bool {
        let theirs = other.lock().clone();
        self.seed == other.seed && *self.lock() == theirs
    }
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Py<PyAny>, (Bound<'py, PyBytes>,))> {
        Ok((py.get_type::<Self>().getattr("from_bytes")?.unbind(), (self.to_bytes(py),)))
    }
    fn __repr__(&self) -> String {
        format!("MinHash(num_perm={}, seed={})", self.num_perm(), self.seed)
    }
}

fn permutations(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    let given = match word(value) {
        Ok(number) if (1..=MAX_PERM as u64).contains(&number) => return Ok(number as usize),
        Ok(number) => number.to_string(),
        Err(given) => given,
    };
    Err(exception(value.py(), &Error::config(format!("num_perm must be 1 to {MAX_PERM}, got {given}"))))
}
