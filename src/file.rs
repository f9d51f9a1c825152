//! Reading files that somebody else names: none that never ends, none that is never there.
//!
//! A pipe that nobody writes to would block for ever, a device such as `/dev/zero` would fill the
//! memory, and a file may grow while it is read.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Bytes of a file that people write by hand: settings, a secret, a template.
pub const SMALL: usize = 1024 * 1024;

/// Opens a regular file for reading. Waits for nobody, whatever is at `path`.
///
/// # Errors
/// When there is no regular file, or it may not be read.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        let problem = "it is no regular file";
        return Err(io::Error::new(ErrorKind::InvalidInput, problem));
    }
    Ok(file)
}

/// Everything in a regular file of at most `cap` bytes.
///
/// # Errors
/// As [`open`]; [`ErrorKind::FileTooLarge`] for a larger one.
pub fn read(path: &Path, cap: usize) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let cap_bytes = u64::try_from(cap).unwrap_or(u64::MAX);
    let expected = file.metadata()?.len().min(cap_bytes);
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(cap).saturating_add(1));
    file.take(cap_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > cap {
        let problem = format!("it has more than {cap} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// As [`read`], and when it is no UTF-8.
pub fn read_text(path: &Path, cap: usize) -> io::Result<String> {
    String::from_utf8(read(path, cap)?)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_cap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, usize::MAX).unwrap(), b"12345");
        let kind = |cap| read(&path, cap).unwrap_err().kind();
        assert_eq!(
            (kind(4), kind(0)),
            (ErrorKind::FileTooLarge, ErrorKind::FileTooLarge)
        );
        // Its size is not what is in it.
        assert!(
            !read(Path::new("/proc/self/status"), SMALL)
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            read(Path::new("/proc/self/status"), 10).unwrap_err().kind(),
            ErrorKind::FileTooLarge
        );
    }
}
