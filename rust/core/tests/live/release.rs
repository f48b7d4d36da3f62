//! Release
