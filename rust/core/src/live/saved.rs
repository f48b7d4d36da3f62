//! The state of a [`Folder`] as bytes: what a process that takes over, and a command that explains, begin with.

use super::fold::Folder;
use super::ladder::{Ladder, Stand};
use crate::audit::groups::Groups;
use crate::audit::judge::Judge;
use crate::audit::ledger::Ledger;
use crate::campaign::Correlator;
use crate::detector::Detector;
use crate::error::Error;
use crate::hash::Seed;
use crate::saved::{HEAD, begins_as_state, load, save};
use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

/// Which ring, up to where, and under which secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Mark {
    /// The area's own number.
    pub area: u64,
    /// What stands before in its ring is in the state.
    pub position: u64,
    /// The area's secret.
    pub secret: [u64; 2],
}

#[derive(BorshSerialize)]
struct Out<'f> {
    mark: Mark,
    judge: (&'f Detector, &'f Correlator, &'f Ledger, &'f Groups),
    ladders: [Vec<(u64, Stand)>; 2],
    released: Vec<u64>,
    read_up_to: [u64; 2],
}

/// A state that was read.
#[derive(BorshDeserialize)]
pub struct State {
    /// Where it is from.
    pub mark: Mark,
    judge: (Detector, Correlator, Ledger, Groups),
    ladders: [Vec<(u64, Stand)>; 2],
    released: Vec<u64>,
    read_up_to: Place,
}

/// A place in the stream between hosts: none in a state that was saved when there was no such stream.
struct Place([u64; 2]);

impl BorshDeserialize for Place {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let mut bytes = Vec::new();
        reader.take(16).read_to_end(&mut bytes)?;
        if bytes.is_empty() { Ok(Self([0; 2])) } else { <[u64; 2]>::try_from_slice(&bytes).map(Self) }
    }
}

impl State {
    /// A folder's state as bytes. Cost: 2 ns for each byte.
    pub fn bytes(folder: &Folder, mark: Mark) -> Result<Vec<u8>, Error> {
        let Judge { detector, correlator, ledger, groups, .. } = &folder.judge;
        let stands = |ladder: &Ladder| ladder.iter().map(|(subject, stand)| (subject, *stand)).collect();
        let ladders = [stands(&folder.accounts), stands(&folder.campaigns)];
        let released = folder.released.keys().copied().collect();
        let read_up_to = folder.read_up_to;
        save("detector", &Out { mark, judge: (detector, correlator, ledger, groups), ladders, released, read_up_to })
    }

    /// Read one.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        load("detector", bytes)
    }

    /// The mark of a state of which only the first bytes were read; `None` for what does not begin as one.
    pub fn mark(bytes: &[u8]) -> Option<Mark> {
        begins_as_state(bytes).then(|| Mark::deserialize(&mut bytes.get(HEAD..)?).ok())?
    }

    /// Go on with it where `folder` has seen nothing. What the operator set stays as it is there. Up to where in the
    /// ring of this area that is; 0 when the state is from another one.
    pub fn restore(self, folder: &mut Folder, area: u64, secret: Seed) -> Result<u64, Error> {
        if self.mark.secret != secret.0 {
            return Err(Error::store("the saved detector was kept under another secret: it starts anew"));
        }
        let (detector, correlator, ledger, groups) = self.judge;
        folder.judge.detector.resume(detector);
        (folder.judge.correlator, folder.judge.ledger, folder.judge.groups) = (correlator, ledger, groups);
        let [accounts, campaigns] = self.ladders;
        folder.accounts.resume(accounts);
        folder.campaigns.resume(campaigns);
        folder.read_up_to = self.read_up_to.0;
        for account in self.released {
            folder.released.insert(account, ());
            folder.judge.suspects.insert(account, ());
        }
        Ok(if self.mark.area == area { self.mark.position } else { 0 })
    }

    /// What came of accounts and campaigns, to be shown.
    pub fn into_judge(self) -> Judge {
        let (detector, correlator, ledger, groups) = self.judge;
        Judge { ledger, groups, ..Judge::new(detector, correlator) }
    }
}
