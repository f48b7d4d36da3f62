//! What must hold for any bytes. Each target is a function here, so that a fuzzer and a plain test run the same.

#[path = "../../core/tests/scan/bodies.rs"]
pub mod bodies;
#[path = "../../core/tests/scan/naive.rs"]
mod naive;
mod scan;

pub use scan::scan_body;
