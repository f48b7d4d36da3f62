//! HyperLogLog: how many different values a stream held, in a byte per register.
//!
//! The naive way remembers every value. Here the low `p` bits of a value's hash choose one of 2^p registers, and the
//! register keeps the longest run of leading zeros that the other bits ever showed, plus one (Flajolet, Fusy, Gandouet
//! and Meunier, "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", 2007). Registers are
//! those of `datasketch.HyperLogLogPlusPlus` for the same 64-bit hashes.
//!
//! The count is the improved raw estimate of Ertl ("New cardinality estimation algorithms for HyperLogLog sketches",
//! arXiv:1702.01284, 2017): it corrects the two ends of the range by series, so that no tables of measured bias and no
//! switch between estimators are needed. Standard error: 1.04 / sqrt(2^p), from a single value to 2^64.

use crate::error::Error;
use borsh::io::{self, ErrorKind, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

/// Fewest registers: 2^4, a standard error of 26 %.
pub const MIN_P: u64 = 4;
/// Most registers: 2^16 (64 KiB), a standard error of 0.4 %.
pub const MAX_P: u64 = 16;

/// The registers. Two of them are equal when no further value could tell them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HyperLogLog {
    p: u32,
    registers: Box<[u8]>,
}

impl HyperLogLog {
    /// An empty sketch of 2^p bytes.
    pub fn new(p: u64) -> Result<Self, Error> {
        if !(MIN_P..=MAX_P).contains(&p) {
            return Err(Error::config(format!("p must be {MIN_P} to {MAX_P}, got {p}")));
        }
        Ok(Self { p: p as u32, registers: vec![0; 1 << p].into() })
    }

    /// Sketch from what [`registers`](Self::registers) returned. Their number gives `p`.
    pub fn from_registers(registers: &[u8]) -> Result<Self, Error> {
        let p = registers.len().checked_ilog2().unwrap_or(0);
        if 1 << p != registers.len() || !(MIN_P..=MAX_P).contains(&u64::from(p)) {
            let given = registers.len();
            return Err(Error::usage(format!("a HyperLogLog has 2**{MIN_P} to 2**{MAX_P} registers, got {given}")));
        }
        let sketch = Self { p, registers: registers.into() };
        match registers.iter().position(|register| u32::from(*register) > sketch.highest()) {
            None => Ok(sketch),
            Some(index) => {
                let (most, given) = (sketch.highest(), registers[index]);
                Err(Error::usage(format!("register {index} of a HyperLogLog must be 0 to {most}, got {given}")))
            }
        }
    }

    /// The number of registers is 2^p.
    pub fn p(&self) -> u32 {
        self.p
    }

    /// One byte per register, 0 to 65 - p.
    pub fn registers(&self) -> &[u8] {
        &self.registers
    }

    /// Count a value by its hash, of which all 64 bits must be random. Cost: about 1 ns, a cache miss more when cold.
    #[inline]
    pub fn add_hash(&mut self, hash: u64) {
        let index = hash as usize & (self.registers.len() - 1);
        let rank = (hash >> self.p).leading_zeros() - self.p + 1;
        self.registers[index] = self.registers[index].max(rank as u8);
    }

    /// Estimate how many different hashes were added. Cost: about 1 ns per register. `inf` when every register is at
    /// its highest, which only forged registers are.
    pub fn count(&self) -> f64 {
        let mut registers_at = [0u32; 65];
        for register in &self.registers {
            registers_at[usize::from(*register)] += 1;
        }
        let m = self.registers.len() as f64;
        let highest = self.highest() as usize;
        let mut z = m * tau(1.0 - f64::from(registers_at[highest]) / m);
        for value in registers_at[1..highest].iter().rev() {
            z = 0.5 * (z + f64::from(*value));
        }
        z += m * sigma(f64::from(registers_at[0]) / m);
        m * m / (2.0 * std::f64::consts::LN_2 * z)
    }

    /// Take in another sketch: afterwards this one is what it had been if it had seen both streams.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.p != other.p {
            return Err(Error::usage(format!("sketches of p {} and {} do not merge: use one p", self.p, other.p)));
        }
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = (*mine).max(*theirs);
        }
        Ok(())
    }

    /// Nothing was added since it was made or cleared.
    pub fn is_empty(&self) -> bool {
        self.registers.iter().all(|register| *register == 0)
    }

    /// Forget everything.
    pub fn clear(&mut self) {
        self.registers.fill(0);
    }

    /// The rank of a hash whose bits beyond the register's number are all zero.
    fn highest(&self) -> u32 {
        u64::BITS - self.p + 1
    }
}

/// The registers; they give `p`.
impl BorshSerialize for HyperLogLog {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        self.registers.serialize(writer)
    }
}

impl BorshDeserialize for HyperLogLog {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let registers = Vec::deserialize_reader(reader)?;
        Self::from_registers(&registers).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }
}

/// x + sum of x^(2^k) 2^(k-1) over k >= 1, summed until nothing changes: what empty registers say.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// (1 - x - sum of (1 - x^(2^-k))^2 2^-k over k >= 1) / 3 (the same): what registers at their highest value say.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        weight *= 0.5;
        let before = sum;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}
