//! The Python module `ratelimit_guard._core`. Its contract are the stubs in `python/ratelimit_guard/_core/`; here is
//! only translation.

#![allow(missing_docs)] // the stub documents what Python sees

use pyo3::prelude::*;
use ratelimit_guard_host::file;

mod arguments;
mod audit;
mod campaign;
mod clock;
mod detector;
mod error;
mod fields;
mod findings;
mod hyperloglog;
mod limiter;
mod live;
mod lsh;
mod minhash;
mod permit;
mod prompt;
mod quota;
mod ratios;
mod remote;
mod reservation;
mod result;
mod space_saving;
mod table;
mod tokens;
mod unit_fields;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<clock::ManualClock>()?;
    module.add_class::<quota::Quota>()?;
    module.add_class::<result::LimitResult>()?;
    module.add_class::<table::Table>()?;
    module.add_class::<limiter::TableLimiter>()?;
    module.add_class::<permit::Permit>()?;
    module.add_class::<reservation::Reservation>()?;
    module.add("MAX_KEY_BYTES", ratelimit_guard_core::limiter::MAX_KEY_BYTES)?;
    module.add("MAX_POLICIES", ratelimit_guard_core::limiter::MAX_POLICIES)?;
    module.add("MAX_NAME_BYTES", ratelimit_guard_core::limiter::MAX_NAME_BYTES)?;
    module.add("MAX_LIMIT", ratelimit_guard_core::quota::MAX_LIMIT)?;
    module.add("DEFAULT_CAPACITY", table::DEFAULT_CAPACITY)?;
    module.add("LAYOUT_VERSION", ratelimit_guard_core::layout::VERSION)?;
    let suffixes = (file::LOCK_SUFFIX, file::UNFINISHED_SUFFIX, file::AREA_SUFFIX, file::LEASES_SUFFIX);
    module.add("RESERVED_SUFFIXES", suffixes)?;
    module.add_submodule(&sketches(module.py())?)?;
    module.add_submodule(&prompt::module(module.py())?)?;
    module.add_submodule(&detector::module(module.py())?)?;
    module.add_submodule(&campaign::module(module.py())?)?;
    module.add_submodule(&audit::module(module.py())?)?;
    module.add_submodule(&live::module(module.py())?)?;
    module.add_submodule(&remote::module(module.py())?)?;
    module.add_submodule(&tokens::module(module.py())?)
}

fn sketches(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "sketch")?;
    module.add_class::<minhash::MinHash>()?;
    module.add_class::<lsh::MinHashLSH>()?;
    module.add_class::<hyperloglog::HyperLogLog>()?;
    module.add_class::<space_saving::SpaceSaving>()?;
    module.add("NUM_PERM", ratelimit_guard_core::sketch::minhash::NUM_PERM)?;
    module.add("MAX_NUM_PERM", ratelimit_guard_core::sketch::minhash::MAX_PERM)?;
    Ok(module)
}
