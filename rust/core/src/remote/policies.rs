//! Policies as a server knows them: their rules, and the names of their counters.

use crate::error::Error;
use crate::hash::Digest;
use crate::limiter::{MAX_KEY_BYTES, check_policies};
use crate::quota::{Algorithm, Quota};
use crate::rule::Answer;
use crate::time::Nanos;
use blake2::Blake2s256;
use blake2::digest::Digest as _;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Hash tags over which the counters of a cluster are spread: few enough that requests of one moment share a script,
/// many enough for as many servers as one rate limiter keeps busy.
pub const TAGS: u64 = 32;
/// Version of what is stored; a part of every key.
pub const PREFIX: &str = "rlg1";
/// Numbers of a rule in a program.
pub(super) const RULE_WORDS: u64 = 5;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Policies bound to a server.
#[derive(Debug)]
pub struct Policies {
    /// Tells them from others in a program.
    pub(super) id: u64,
    prefix: String,
    entries: Box<[Entry]>,
}

/// One of them.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its quota.
    pub quota: Quota,
    salt: Digest,
    /// When the server heard of this quota first, in µs: of two quotas under one name the later one holds.
    stamp: AtomicU64,
}

/// The bytes of a key as hashes know it: nobody who may choose keys finds two that are one.
pub fn digest(key: &[u8]) -> Result<Digest, Error> {
    if key.len() > MAX_KEY_BYTES {
        let text = format!("key of {} bytes is too long: at most {MAX_KEY_BYTES}, or hash it first", key.len());
        return Err(Error::usage(text));
    }
    Ok(halves(&Blake2s256::digest(key)))
}

fn halves(bytes: &[u8]) -> Digest {
    let half = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a hash is 32 bytes long"));
    Digest([half(0), half(8)])
}

/// The hash tag of a key.
pub fn tag_of(key: Digest) -> u64 {
    key.0[0] % TAGS
}

impl Policies {
    /// Make them ready. `ConfigError` for none, too many, or two of one name.
    pub fn new(namespace: &str, policies: &[(String, Quota)]) -> Result<Self, Error> {
        check_policies(policies)?;
        let entry = |(name, quota): &(String, Quota)| {
            let salt = halves(&Blake2s256::digest(format!("{namespace}\0{name}\0{}", quota.algorithm().name())));
            Entry { name: name.clone(), quota: *quota, salt, stamp: AtomicU64::new(0) }
        };
        let mut prefix = String::from(PREFIX);
        let _ = write!(prefix, ":{}:", plain(namespace));
        Ok(Self { id: NEXT_ID.fetch_add(1, Relaxed), prefix, entries: policies.iter().map(entry).collect() })
    }

    /// Some of them, in the order of `indices`, as policies of their own.
    pub fn subset(&self, indices: &[usize]) -> Self {
        let entry = |&index: &usize| {
            let Entry { name, quota, salt, stamp } = &self.entries[index];
            Entry { name: name.clone(), quota: *quota, salt: *salt, stamp: AtomicU64::new(stamp.load(Relaxed)) }
        };
        let entries = indices.iter().map(entry).collect();
        Self { id: NEXT_ID.fetch_add(1, Relaxed), prefix: self.prefix.clone(), entries }
    }

    /// In the order given.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What begins all their keys.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of a key's counter.
    pub(super) fn counter(&self, index: usize, key: Digest) -> String {
        let Digest([first, second]) = key.under(self.entries[index].salt);
        format!("{}{{{:02}}}:{first:016x}{second:016x}", self.prefix, tag_of(key))
    }

    /// What identifies a key's counter in one program.
    pub(super) fn identity(&self, index: usize, key: Digest) -> Digest {
        key.under(self.entries[index].salt)
    }
}

impl Entry {
    /// The field under which the server knows the policy, and what it has to know of it.
    pub fn registration(&self) -> (String, String) {
        let quota = &self.quota;
        let (limit, window, capacity) = (quota.limit(), quota.window().0, quota.capacity());
        (format!("{}\0{}", self.name, quota.algorithm().name()), format!("{limit}/{window}/{capacity}"))
    }

    /// The server's time of the registration.
    pub fn set_stamp(&self, stamp: u64) {
        self.stamp.store(stamp, Relaxed);
    }

    pub(super) fn rule(&self) -> [u64; RULE_WORDS as usize] {
        let kind = match self.quota.algorithm() {
            Algorithm::Strict => 1,
            Algorithm::SlidingWindow => 2,
            Algorithm::TokenBucket => 3,
        };
        let window = self.quota.window().0.div_ceil(1_000);
        [kind, self.quota.limit(), window, self.quota.capacity(), self.stamp.load(Relaxed)]
    }

    /// The answer while nobody counts: everything is free, or nothing for so long.
    pub fn uncounted(&self, wait: Option<Nanos>) -> Answer {
        let limit = self.quota.capacity();
        match wait {
            None => Answer { allowed: true, limit, remaining: limit, reset_after: Nanos(0), retry_after: Nanos(0) },
            Some(wait) => Answer { allowed: false, limit, remaining: 0, reset_after: wait, retry_after: wait },
        }
    }
}

/// A namespace that cannot be taken for another part of a key or for a hash tag.
fn plain(namespace: &str) -> String {
    let mut text = String::with_capacity(namespace.len());
    for byte in namespace.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => text.push(byte.into()),
            _ => {
                let _ = write!(text, "%{byte:02X}"); // a String takes all
            }
        }
    }
    text
}
