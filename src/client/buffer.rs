//! Memory for a body while it arrives.

use std::io;

use bytes::{Bytes, BytesMut};
use memmap2::MmapMut;

use super::error::CallError;
use crate::telemetry::labels::ErrorKind;

/// Bytes up to which a body is on the heap, and a claimed length is believed there. More are mapped:
/// the heap would copy them each time that they outgrow their place, and fault them in four kilobytes
/// at a time, which takes longer than reading them from the socket.
const HEAP_MAX: usize = 8 << 20;
/// The first reservation for a body of unknown length.
const FIRST: usize = 64 << 10;

/// A body as far as it has come.
#[derive(Debug)]
pub struct Buffer {
    place: Place,
    claimed: Option<usize>,
    cap: usize,
}

#[derive(Debug)]
enum Place {
    Heap(BytesMut),
    Mapped(Mapped),
}

/// A mapping costs no memory beyond the bytes that have been written to it.
#[derive(Debug)]
struct Mapped {
    map: MmapMut,
    filled: usize,
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map[..self.filled]
    }
}

impl Buffer {
    /// For a body of at most `cap` bytes, whose sender claims that it has `claimed`.
    #[must_use]
    pub fn new(claimed: Option<usize>, cap: usize) -> Self {
        Self {
            place: Place::Heap(BytesMut::new()),
            claimed,
            cap,
        }
    }

    /// What is in it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.place {
            Place::Heap(heap) => heap,
            Place::Mapped(mapped) => mapped.as_ref(),
        }
    }

    /// Lets go of what is in it and keeps the place.
    pub fn clear(&mut self) {
        match &mut self.place {
            Place::Heap(heap) => heap.clear(),
            Place::Mapped(mapped) => mapped.filled = 0,
        }
    }

    /// Puts bytes behind those that are there.
    ///
    /// # Errors
    /// When the system gives no address space for the body, or it outgrows its cap.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), CallError> {
        self.try_append(bytes).map_err(|error| {
            let message = format!("there is no memory for the answer: {error}");
            CallError::of(ErrorKind::TooLarge, &message)
        })
    }

    fn try_append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let needed = self.bytes().len() + bytes.len();
        if let Place::Heap(heap) = &mut self.place {
            let expected = self.claimed.unwrap_or_default().max(needed);
            if expected > HEAP_MAX {
                self.place = Place::Mapped(Mapped::new(self.claimed.unwrap_or(self.cap), heap)?);
            } else if needed > heap.capacity() {
                let capacity = self.claimed.unwrap_or((needed * 2).max(FIRST)).max(needed);
                heap.reserve(capacity - heap.len());
            }
        }
        match &mut self.place {
            Place::Heap(heap) => heap.extend_from_slice(bytes),
            Place::Mapped(mapped) => mapped.append(bytes)?,
        }
        Ok(())
    }

    /// The body, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.place {
            Place::Heap(heap) => heap.freeze(),
            Place::Mapped(mapped) => Bytes::from_owner(mapped),
        }
    }
}

impl Mapped {
    fn new(capacity: usize, bytes: &[u8]) -> io::Result<Self> {
        let map = MmapMut::map_anon(capacity)?;
        // Two megabytes a fault where the system has such pages; what refuses them works as well.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let mut mapped = Self { map, filled: 0 };
        mapped.append(bytes)?;
        Ok(mapped)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.filled + bytes.len();
        let free = self.map.get_mut(self.filled..end);
        free.ok_or(io::ErrorKind::FileTooLarge)?
            .copy_from_slice(bytes);
        self.filled = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(claimed: Option<usize>, pieces: u8, piece: usize) -> (Buffer, Vec<u8>) {
        let mut buffer = Buffer::new(claimed, usize::from(pieces) * piece);
        let mut expected = Vec::new();
        for number in 0..pieces {
            let bytes: Vec<u8> = (0..=250)
                .map(|byte| byte ^ (number % 4))
                .cycle()
                .take(piece)
                .collect();
            buffer.append(&bytes).unwrap();
            expected.extend_from_slice(&bytes);
        }
        (buffer, expected)
    }

    #[test]
    fn a_body_is_the_same_wherever_it_is_kept() {
        let piece = 1 << 20;
        for (claimed, pieces, mapped) in [
            (None, 3, false),
            (Some(3 * piece), 3, false),
            (None, 20, true),
            (Some(20 * piece), 20, true),
        ] {
            let (buffer, expected) = gathered(claimed, pieces, piece);
            assert_eq!(matches!(buffer.place, Place::Mapped(_)), mapped);
            assert_eq!(buffer.bytes().len(), expected.len());
            assert!(buffer.into_bytes() == expected, "{claimed:?} {pieces}");
        }
    }

    #[test]
    fn more_than_was_claimed_is_refused_and_keeps_what_came() {
        let mut buffer = Buffer::new(Some(HEAP_MAX + 1), usize::MAX);
        buffer.append(&vec![7; HEAP_MAX]).unwrap();
        assert!(buffer.append(&[7; 2]).is_err());
        assert_eq!(buffer.bytes().len(), HEAP_MAX);
    }
}
