//! Keyed hashes: where a key's counters live and what they are called there.
//!
//! The seed is secret, so nobody outside can aim keys at one row. SipHash-1-3 (Aumasson and Bernstein, 2012) with
//! 128 bits of output runs once per decision; each policy then mixes in 128 secret bits of its own.

use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

/// A map by secret hashes. Nobody can aim at one bucket of it, so its own hash needs no secret.
pub type ByHash<T> = HashMap<u64, T, BuildHasherDefault<DefaultHasher>>;

/// Secret of one table, drawn when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Seed(pub [u64; 2]);

/// 128 bits that stand for a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub [u64; 2]);

impl Seed {
    /// From a number of 64 bits: any fixed constant fills the rest of the key.
    pub fn from_number(number: u64) -> Self {
        Self([number, number ^ 0x9e37_79b9_7f4a_7c15])
    }

    /// Hash the bytes of a key. Cost: about 1 ns per byte beyond a constant 15 ns.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        let mut hasher = SipHasher13::new_with_keys(self.0[0], self.0[1]);
        hasher.write(bytes);
        let digest = hasher.finish128();
        Digest([digest.h1, digest.h2])
    }

    /// The secret of a counter's name: each part is preceded by its length, so that no two lists of parts read the
    /// same.
    pub fn derive(self, parts: &[&str]) -> Digest {
        let mut hasher = SipHasher13::new_with_keys(self.0[1], self.0[0]);
        for part in parts {
            hasher.write_u64(part.len() as u64);
            hasher.write(part.as_bytes());
        }
        let digest = hasher.finish128();
        Digest([digest.h1, digest.h2])
    }
}

impl Digest {
    /// The same key under another policy.
    pub fn under(self, policy: Self) -> Self {
        Self([mix(self.0[0] ^ policy.0[0]), mix(self.0[1] ^ policy.0[1])])
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection in which every input bit moves every output
/// bit.
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// 32 bits of a hash that are not 0: tenants and accounts in cells.
pub fn short(hash: u64) -> u32 {
    (mix(hash) >> 32) as u32 | 1
}
