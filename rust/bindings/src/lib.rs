//! The Python module `ratelimit_guard._core`. Its contract is `python/ratelimit_guard/_core.pyi`; here is only
//! translation.

#![allow(missing_docs)] // the stub documents what Python sees

use pyo3::prelude::*;
use ratelimit_guard_host::file;

mod arguments;
mod clock;
mod error;
mod limiter;
mod permit;
mod quota;
mod result;
mod table;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<clock::ManualClock>()?;
    module.add_class::<quota::Quota>()?;
    module.add_class::<result::LimitResult>()?;
    module.add_class::<table::Table>()?;
    module.add_class::<limiter::TableLimiter>()?;
    module.add_class::<permit::Permit>()?;
    module.add("MAX_KEY_BYTES", ratelimit_guard_core::limiter::MAX_KEY_BYTES)?;
    module.add("MAX_NAME_BYTES", ratelimit_guard_core::limiter::MAX_NAME_BYTES)?;
    module.add("MAX_LIMIT", ratelimit_guard_core::quota::MAX_LIMIT)?;
    module.add("DEFAULT_CAPACITY", table::DEFAULT_CAPACITY)?;
    module.add("LAYOUT_VERSION", ratelimit_guard_core::layout::VERSION)?;
    module.add("RESERVED_SUFFIXES", (file::LOCK_SUFFIX, file::UNFINISHED_SUFFIX))
}
