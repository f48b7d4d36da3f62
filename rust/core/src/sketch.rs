//! Small summaries of large sets and streams: [`minhash`] for similarity, [`lsh`] for finding what is similar,
//! [`hyperloglog`] for counting what is different, [`space_saving`] for what is frequent.

pub mod hyperloglog;
pub mod lsh;
pub mod minhash;
pub mod space_saving;
