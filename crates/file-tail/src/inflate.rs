//! [`open`]: what a stream holds, inflated when it is compressed.
//!
//! Known by its first bytes, not by its name: a name may be wrong, and standard input has none.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

/// Bytes that are read from the file at once.
const BUFFER: usize = 128 << 10;
/// A frame that wants more memory is refused: what the `zstd` program asks for without `--ultra` or `--long`, and its
/// own limit too.
const MAX_WINDOW: u64 = 128 << 20;

/// A stream whose first bytes were looked at.
type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

/// The content of `stream`, a gzip or zstd file as what was compressed.
///
/// # Errors
/// What the stream answers; damage is found while reading, as [`io::ErrorKind::InvalidData`].
pub(crate) fn open<R: Read + Send + 'static>(mut stream: R) -> io::Result<Box<dyn Read + Send>> {
    let mut first = Vec::with_capacity(4);
    stream.by_ref().take(4).read_to_end(&mut first)?;
    let format = Format::of(&first);
    let stream: Peeked<R> = Cursor::new(first).chain(stream);
    Ok(match format {
        Some(Format::Gzip) => {
            Box::new(Checked(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, stream))))
        }
        Some(Format::Zstd) => Box::new(Zstd::new(BufReader::with_capacity(BUFFER, stream))),
        None => Box::new(stream),
    })
}

/// Whether `first`, the first four bytes of a file, say that it is compressed.
pub(crate) fn is_compressed(first: &[u8]) -> bool {
    Format::of(first).is_some()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Gzip,
    Zstd,
}

impl Format {
    /// Of what begins with these four bytes; `None` when it is not compressed.
    fn of(first: &[u8]) -> Option<Self> {
        match first {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // A frame that holds something else, and may stand in front.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Every error of the decoder itself is damage; it knows no kind for that.
struct Checked<R>(R);

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => damaged("gzip", error),
            _ => error,
        })
    }
}

fn damaged(format: &str, error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no valid {format} from there on: {error}"))
}

/// The frames of a zstd file, one after the other.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    /// Whether a frame was begun.
    is_inside: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Self { source, decoder, is_inside: false }
    }

    /// Begins the next frame; whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.is_inside = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(damaged("zstd", error)),
            }
        }
        Ok(false)
    }

    /// What was inflated is what was compressed, as far as the frame says.
    fn check(&self) -> io::Result<()> {
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(expected), Some(found)) if expected != found => {
                Err(damaged("zstd", "the checksum does not hold"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_inside && !self.begin()? {
                return Ok(0);
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if self.decoder.is_finished() {
                self.is_inside = false;
                self.check()?;
                continue;
            }
            let strategy = ruzstd::decoding::BlockDecodingStrategy::UptoBlocks(1);
            self.decoder.decode_blocks(&mut self.source, strategy).map_err(|error| damaged("zstd", error))?;
        }
    }
}

#[cfg(test)]
mod tests;
