//! Facts about a prompt, in one bounded pass and without keeping its text.
//!
//! **The way of a prompt.** [`scan`] finds in a JSON body whose words stand where, by a [`dialect`] table.
//! [`normalize`] makes one spelling of them ([`fold`]), [`words`] cuts it and hashes each word, and [`facts`] derives
//! the rest from those hashes: the MinHash signature of its shingles, the template, keys that campaigns share,
//! segments, a small vector of features, the capability that is asked for.

pub mod capability;
pub mod dialect;
pub mod escape;
pub mod facts;
pub mod features;
pub mod fields;
pub mod fold;
pub mod history;
pub mod json;
pub mod keys;
pub mod normalize;
pub mod part;
pub mod scan;
pub mod segment;
pub mod sequence;
pub mod shingle;
pub mod template;
pub mod text;
pub mod words;
