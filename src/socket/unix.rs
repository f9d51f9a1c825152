//! A socket that is a file.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::BACKLOG;

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
    // Another process may have found the same and be faster.
    if identity(path)? != (found.dev(), found.ino()) {
        return refused(ErrorKind::AddrInUse, "another process listens on it");
    }
    fs::remove_file(path)
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
