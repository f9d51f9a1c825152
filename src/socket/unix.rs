//! A socket that is a file.
//!
//! Nothing tells the socket of a process that is gone from one on which another process is about to
//! listen. So whoever makes or removes one has a lock on its folder meanwhile: no file of its own has to
//! be kept for that, which nobody could ever remove.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::BACKLOG;

/// For others to make or remove their sockets in the same folder, which takes them no time.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks whether they have.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The file of a socket that this process made; it goes when this goes.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// What tells a file from another of the same name.
type Identity = (u64, u64);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that is left is replaced by the next start.
        let Ok(_lock) = lock_folder(&self.path) else {
            return;
        };
        // Another process may have put its own in this place.
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`, in place of the socket of a process that is gone if there is one.
pub fn bind(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    let address = SocketAddrUnix::new(path)?;
    let socket = socket()?;
    // Until it listens: before that it looks like one that was left.
    let _lock = lock_folder(path)?;
    match rustix::net::bind(&socket, &address) {
        Err(Errno::ADDRINUSE) => {
            remove_stale(path, &address)?;
            rustix::net::bind(&socket, &address)?;
        }
        result => result?,
    }
    let file = SocketFile {
        path: path.to_owned(),
        identity: identity(path)?,
    };
    // Nobody can connect before it listens: the mode that the umask gave counts for nothing.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok((socket.into(), file))
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}

/// Removes the socket at `path` if nobody listens on it.
fn remove_stale(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    let refused = |kind, problem: &str| Err(io::Error::new(kind, problem));
    let found = fs::symlink_metadata(path)?;
    if !found.file_type().is_socket() {
        let problem = "something that is no socket is there; it was left alone";
        return refused(ErrorKind::AlreadyExists, problem);
    }
    match rustix::net::connect(socket()?, address) {
        Err(Errno::CONNREFUSED) => {}
        // As many wait as may, or it is a socket of another kind.
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => {
            return refused(ErrorKind::AddrInUse, "another process listens on it");
        }
        Err(error) => return Err(error.into()),
    }
    // Where there is no lock, another process may have found the same and be faster.
    if identity(path)? != (found.dev(), found.ino()) {
        return refused(ErrorKind::AddrInUse, "another process listens on it");
    }
    fs::remove_file(path)
}

/// Keeps other processes from making or removing sockets in the folder of this one, until it is
/// dropped. None where the folder cannot be locked: one that may be written to and not be read, that
/// another program keeps locked, or of a file system without locks.
fn lock_folder(path: &Path) -> io::Result<Option<File>> {
    let Ok(folder) = File::open(path.parent().unwrap_or(Path::new("/"))) else {
        return Ok(None);
    };
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(Some(folder)),
            Err(TryLockError::Error(_)) => return Ok(None),
            // Whoever may read the folder can lock it, which must not keep this program from starting.
            Err(TryLockError::WouldBlock) if Instant::now() > until => {
                tracing::warn!(
                    "another process keeps the folder of the socket locked; going on without the lock"
                );
                return Ok(None);
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
        }
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_has_its_mode_and_goes_with_the_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        for wanted in [0o660, 0o600, 0o666] {
            let bound = bind(&path, wanted).unwrap();
            assert_eq!(mode(&path), wanted);
            UnixStream::connect(&path).unwrap();
            drop(bound);
            assert!(!path.exists());
        }
    }

    #[test]
    fn only_a_socket_without_a_listener_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        // As after a kill: the file stays.
        drop(UnixListener::bind(&path).unwrap());
        let (_listener, file) = bind(&path, 0o660).unwrap();
        let kind = || bind(&path, 0o660).unwrap_err().kind();
        assert_eq!(kind(), ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixDatagram::bind(&path).unwrap();
        assert_eq!(kind(), ErrorKind::AddrInUse);
        drop(file);
        assert!(path.exists(), "it is somebody else's");
    }

    /// What a process does between having its socket and listening on it.
    #[test]
    fn a_socket_that_is_being_made_is_not_taken_for_one_that_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let lock = lock_folder(&path).unwrap();
        assert!(lock.is_some(), "the folder of the test cannot be locked");
        let other = socket().unwrap();
        rustix::net::bind(&other, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        let made = identity(&path).unwrap();
        std::thread::scope(|scope| {
            let (told, ended) = std::sync::mpsc::channel();
            let path = &path;
            let start = move || {
                let bound = bind(path, 0o660).map(|(_, file)| file.identity);
                told.send(bound).unwrap();
            };
            scope.spawn(start);
            // As long as it does not listen there is nothing to be known.
            let early = ended.recv_timeout(Duration::from_millis(100));
            assert!(early.is_err(), "it did not wait: {early:?}");
            rustix::net::listen(&other, 1).unwrap();
            drop(lock);
            let error = ended.recv().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
        });
        assert_eq!(identity(&path).unwrap(), made);
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn of_many_that_find_a_socket_that_was_left_one_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        for _ in 0..50 {
            drop(UnixListener::bind(&path).unwrap());
            let start = std::sync::Barrier::new(8);
            let bound: Vec<_> = std::thread::scope(|scope| {
                let one = || {
                    start.wait();
                    bind(&path, 0o660)
                };
                let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let mut winners = bound.into_iter().filter_map(Result::ok);
            let (listener, file) = winners.next().expect("nobody got it");
            assert!(winners.next().is_none(), "two got it");
            UnixStream::connect(&path).unwrap();
            drop((listener, file));
            assert!(!path.exists());
        }
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "precious").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for place in [&path, &link] {
            let error = bind(place, 0o660).unwrap_err();
            assert!(error.to_string().contains("no socket"), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        assert!(link.is_symlink());
    }
}
