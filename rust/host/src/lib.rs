//! What needs the machine: mapped memory, the clock, the boot's identity. The only crate with `unsafe`, in
//! `mapping.rs`.

pub mod clock;
pub mod file;
pub mod host;
pub mod mapping;
pub mod store;
