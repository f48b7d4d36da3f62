//! Costs
