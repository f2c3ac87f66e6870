//! Files that are read by name: up to a bound, and not for ever. Of certificates, whether they are some.

use crate::render::errors::Usage;
use crate::render::shell;
use jindo::request::{RootsError, check_roots};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Bytes of a file of certificates: the whole bundle of a system has a quarter of a million.
const CERTIFICATES_BYTES_MAX: u64 = 2 << 20;

/// A named file is waited for as long as a key command: it may be the output of one (`<(…)`).
pub(super) const FILE_ENDS_WITHIN: Duration = Duration::from_mins(1);

/// Returns the bytes of a file of PEM certificates that can be trusted.
pub(crate) fn certificates(path: &Path) -> Result<Vec<u8>, Usage> {
    let read = |file| bytes(file, CERTIFICATES_BYTES_MAX);
    let wrong = |why: &dyn std::fmt::Display| {
        Usage::new(format!("--ca-file {} cannot be used: {why}", path.display()))
    };
    let wanted = "give a PEM file (-----BEGIN CERTIFICATE-----) with the certificate of the authority that signed the proxy's or the server's";
    let pem = in_time(path, FILE_ENDS_WITHIN, read).map_err(|error| wrong(&error).hint(wanted))?;
    match check_roots(&pem) {
        Ok(()) => Ok(pem),
        Err(error @ RootsError::Binary) => {
            let convert = format!("openssl x509 -inform der -in {} -out ca.pem", shell::path(path));
            Err(wrong(&error).hint(convert))
        }
        Err(error) => Err(wrong(&error).hint(wanted)),
    }
}

/// Opens and reads a file within a time: a pipe may have no writer, and a disk may hang.
pub(super) fn in_time<T: Send + 'static>(
    path: &Path,
    within: Duration,
    read: impl FnOnce(File) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done_tx, done_rx) = channel();
    let path = path.to_owned();
    // The receiver is gone if it took too long.
    std::thread::spawn(move || done_tx.send(File::open(path).and_then(read)).unwrap_or_default());
    done_rx.recv_timeout(within).map_err(|_| too_long(within))?
}

fn too_long(within: Duration) -> io::Error {
    io::Error::other(format!("it took longer than {within:?}"))
}

/// Reads at most so many bytes.
pub(super) fn bytes(source: impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(invalid(format!("it is longer than {bytes_max} bytes")));
    }
    Ok(bytes)
}

pub(super) fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn a_pipe_that_nobody_writes_into_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let read = |file| bytes(file, CERTIFICATES_BYTES_MAX);
        let error = in_time(&pipe, Duration::from_millis(50), read).unwrap_err();
        assert_eq!(error.to_string(), "it took longer than 50ms");
    }
}
