//! What must hold for any bytes. Each target is a function here, so that a fuzzer and a plain test run the same.

#[path = "../../core/tests/scan/bodies.rs"]
pub mod bodies;
#[path = "../../core/tests/scan/naive.rs"]
mod naive;
#[path = "../../core/tests/prompt/naive.rs"]
mod naive_facts;
mod prompt;
mod scan;
mod tokens;

pub use prompt::{prompt_pass, shingle};
pub use scan::scan_body;
pub use tokens::pass_answer;
