//! State as bytes, so that a process that takes over goes on where another one stopped.
//!
//! **The frame.** Magic, format, length and checksum stand before the state: 32 bytes, numbers with the lowest byte
//! first. What is torn, damaged or something else is refused before any of it is read.
//!
//! **The state** is in borsh, field by field. What can be made again is left out (indexes, marks, tests), and large
//! arrays hold only the places in use. A checksum is no signature: whoever can write where states are kept can write
//! any. Such a state may judge wrongly, but what is read stays within its bounds.

use crate::error::Error;
use crate::hash::mix;
use arrayvec::ArrayVec;
use borsh::io::{self, ErrorKind, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

/// Changes whenever the bytes of before would mean something else: with fields, their order and sizes, and with what
/// is hashed how.
pub const FORMAT: u64 = 1;
/// Places of an array that are read: twice as many as accounts or keys that a correlator may be given room for.
pub const MAX_PLACES: usize = 1 << 25;

const MAGIC: u64 = u64::from_le_bytes(*b"rlgstate");
/// Bytes before the state.
pub(crate) const HEAD: usize = 32;

/// A state as bytes. `what` names it in errors, and only under the same name it is read. Cost: 1 to 2 ns for each byte,
/// and a walk over what is empty.
pub fn save<T: BorshSerialize>(what: &str, state: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; HEAD];
    state.serialize(&mut bytes).map_err(|error| Error::store(format!("{what} cannot be saved: {error}")))?;
    let (head, state) = bytes.split_at_mut(HEAD);
    let numbers = [MAGIC, FORMAT, state.len() as u64, checksum(what, state)];
    head.copy_from_slice(numbers.map(u64::to_le_bytes).as_flattened());
    Ok(bytes)
}

/// The state that [`save`] wrote, or a store error. Cost: 1 to 3 ns for each byte, and the memory that it had.
pub fn load<T: BorshDeserialize>(what: &str, bytes: &[u8]) -> Result<T, Error> {
    let broken = |why: &str| Err(Error::store(format!("the saved {what} cannot be used: {why}")));
    let Some((head, state)) = bytes.split_first_chunk::<HEAD>() else { return broken("it is cut off") };
    let mut head = words(head);
    let mut next = || head.next().unwrap_or_default();
    let [magic, format, length, sum] = [next(), next(), next(), next()];
    if magic != MAGIC {
        return broken("it is something else");
    }
    if format != FORMAT {
        return broken(&format!("it is of format {format}, and this release reads {FORMAT}"));
    }
    if state.len() as u64 != length {
        return broken(&format!("it has {} bytes of {length}", state.len()));
    }
    if checksum(what, state) != sum {
        return broken("its checksum is another");
    }
    T::try_from_slice(state).or_else(|error| broken(&error.to_string()))
}

/// Are these the first bytes of a state in this format? Zeros, which a machine that loses power may leave, are not.
pub(crate) fn begins_as_state(bytes: &[u8]) -> bool {
    words(bytes).take(2).eq([MAGIC, FORMAT])
}

/// Each step is a bijection, so no damage within one word goes unseen, and any other once in 2⁶⁴ times.
fn checksum(what: &str, state: &[u8]) -> u64 {
    let add = |sum: u64, bytes: &[u8]| words(bytes).fold(mix(sum ^ bytes.len() as u64), |sum, word| mix(sum ^ word));
    add(add(FORMAT, what.as_bytes()), state)
}

/// Eight bytes each, the last filled up with zeros.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (words, rest) = bytes.as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().copied().chain((!rest.is_empty()).then_some(last)).map(u64::from_le_bytes)
}

/// Refuse what no state leads to.
pub(crate) fn ensure(is_possible: bool, what: &str) -> io::Result<()> {
    if is_possible { Ok(()) } else { Err(io::Error::new(ErrorKind::InvalidData, format!("impossible {what}"))) }
}

/// What is made again when it is read.
pub(crate) fn unsaved<T, W: Write>(_: &T, _: &mut W) -> io::Result<()> {
    Ok(())
}

/// An array of which most places may be empty: its length, how many are used, and each of these with its place.
pub(crate) fn write_sparse<T, W>(places: &[T], writer: &mut W) -> io::Result<()>
where
    T: BorshSerialize + Default + PartialEq,
    W: Write,
{
    ensure(places.len() <= MAX_PLACES, "length of an array")?;
    let empty = T::default();
    let used = || places.iter().zip(0u32..).filter(|(entry, _)| **entry != empty);
    [places.len(), used().count()].serialize(writer)?;
    used().try_for_each(|(entry, place)| (place, entry).serialize(writer))
}

/// The same. How long it was cannot be told from the bytes that follow, so that is bounded by [`MAX_PLACES`], and memory
/// that is not there is an error.
pub(crate) fn read_sparse<T, R>(reader: &mut R) -> io::Result<Box<[T]>>
where
    T: BorshDeserialize + Default + Clone,
    R: Read,
{
    let [length, used] = <[usize; 2]>::deserialize_reader(reader)?;
    ensure((1..=MAX_PLACES).contains(&length) && used <= length, "length of an array")?;
    let mut places = Vec::new();
    places.try_reserve_exact(length).map_err(|error| io::Error::new(ErrorKind::OutOfMemory, error))?;
    places.resize(length, T::default());
    for _ in 0..used {
        let (place, entry) = <(u32, T)>::deserialize_reader(reader)?;
        ensure((place as usize) < length, "place in an array")?;
        places[place as usize] = entry;
    }
    Ok(places.into())
}

/// A list in fixed room.
pub(crate) fn write_list<T: BorshSerialize, W: Write>(list: &[T], writer: &mut W) -> io::Result<()> {
    list.serialize(writer)
}

/// The same.
pub(crate) fn read_list<T: BorshDeserialize, R: Read, const ROOM: usize>(
    reader: &mut R,
) -> io::Result<ArrayVec<T, ROOM>> {
    let length = u32::deserialize_reader(reader)? as usize;
    ensure(length <= ROOM, "length of a list")?;
    (0..length).map(|_| T::deserialize_reader(reader)).collect()
}
