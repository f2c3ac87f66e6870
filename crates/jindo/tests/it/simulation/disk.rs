//! A disk in memory that may fail before and after every operation. What is not synced may be lost, or be there by half,
//! when the power fails.

use jindo::clock::Random;
use jindo::extract::{Disk, Staged};
use jindo_testing::{Dead, Fuse};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// Content of the disk; outlives every process.
#[derive(Debug, Default)]
pub(crate) struct Platter {
    staged: BTreeMap<Staged, Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
    durable: BTreeMap<String, Vec<u8>>,
}

impl Platter {
    /// The power fails: of every file that was not synced the old, the new or half of the new is left.
    pub(crate) fn lose_power(&mut self, random: &mut Random) {
        let paths: Vec<String> = self.files.keys().chain(self.durable.keys()).cloned().collect();
        for path in paths {
            let (new, old) = (self.files.get(&path), self.durable.get(&path));
            let left = match random.draw() % 3 {
                _ if new == old => continue,
                0 => old.cloned(),
                1 => new.cloned(),
                _ => new.map(|new| new[..new.len() / 2].to_vec()),
            };
            self.files.remove(&path);
            self.files.extend(left.map(|left| (path, left)));
        }
        self.durable.clone_from(&self.files);
    }

    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
        self.files.iter().map(|(path, bytes)| (path.clone(), text(bytes))).collect()
    }
}

/// One process' handle of the disk.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    pub(crate) kept: Arc<Mutex<Platter>>,
    pub(crate) fuse: Fuse,
}

fn dead(dead: Dead) -> io::Error {
    io::Error::other(dead)
}

impl FaultyDisk {
    fn act<T>(&self, act: impl FnOnce(&mut Platter) -> T) -> io::Result<T> {
        self.fuse.burn().map_err(dead)?;
        let done = act(&mut self.kept.lock().unwrap());
        self.fuse.burn().map_err(dead)?;
        Ok(done)
    }

    fn look<T>(&self, look: impl FnOnce(&Platter) -> T) -> io::Result<T> {
        self.fuse.alive().map_err(dead)?;
        Ok(look(&self.kept.lock().unwrap()))
    }
}

impl Disk for FaultyDisk {
    fn begin(&self) -> io::Result<()> {
        if self.look(|platter| platter.staged.is_empty())? {
            return Ok(());
        }
        self.act(|platter| platter.staged.clear())
    }

    fn append(&self, staged: Staged, bytes: &[u8]) -> io::Result<()> {
        self.act(|platter| platter.staged.entry(staged).or_default().extend_from_slice(bytes))
    }

    fn publish(&self, staged: Staged, path: &str) -> io::Result<()> {
        self.act(|platter| {
            let bytes = platter.staged.remove(&staged).expect("only what was staged is published");
            platter.files.insert(path.to_owned(), bytes);
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.act(|platter| drop(platter.files.remove(path)))
    }

    fn set_aside(&self, path: &str) -> io::Result<()> {
        panic!("{path} is nobody else's")
    }

    fn sync(&self) -> io::Result<()> {
        self.act(|platter| platter.durable.clone_from(&platter.files))
    }

    fn end(&self) -> io::Result<()> {
        self.act(|_| ())
    }

    fn size(&self, path: &str) -> io::Result<Option<u64>> {
        self.look(|platter| platter.files.get(path).map(|bytes| bytes.len() as u64))
    }

    fn begins_with(&self, path: &str, text: &[u8]) -> io::Result<bool> {
        self.look(|platter| platter.files.get(path).is_some_and(|bytes| bytes.starts_with(text)))
    }

    fn sha256(&self, path: &str) -> io::Result<Option<String>> {
        self.look(|platter| platter.files.get(path).map(|bytes| hex(&Sha256::digest(bytes))))
    }

    fn walk(&self, folder: &str) -> io::Result<Vec<String>> {
        let folder = format!("{folder}/");
        self.look(|platter| {
            platter.files.keys().filter(|path| path.starts_with(&folder)).cloned().collect()
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).expect("half a byte");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
