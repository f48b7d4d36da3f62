//! Fold
