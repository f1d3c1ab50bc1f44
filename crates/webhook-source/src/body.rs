//! Reading a body: bounded, and inflated while it arrives.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap};
use hyper::http::request::Parts;
use tokio::time::timeout;

use crate::answer::Answer;

/// What the bytes of a body are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// What the head says.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Answer> {
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let encoding = encodings.next().map_or(&b""[..], |encoding| encoding.as_bytes().trim_ascii());
        match encoding {
            _ if encodings.next().is_some() => Err(Answer::OtherEncoding),
            b"" => Ok(Self::Identity),
            _ if encoding.eq_ignore_ascii_case(b"identity") => Ok(Self::Identity),
            _ if encoding.eq_ignore_ascii_case(b"gzip") || encoding.eq_ignore_ascii_case(b"x-gzip") => {
                Ok(Self::Gzip)
            }
            _ => Err(Answer::OtherEncoding),
        }
    }
}

/// A body on its way.
#[derive(Debug)]
pub(crate) struct Upload {
    incoming: Incoming,
    /// Whether the sender sends it without waiting for a word.
    is_coming: bool,
}

impl Upload {
    /// How much of a body is read that nobody wants: with bytes that were not read, the system would reset the
    /// connection, and HTTP/2 the stream, and the sender might never see why.
    const DRAIN: usize = 64 << 20;
    /// For how long.
    const DRAIN_TIME: Duration = Duration::from_secs(2);

    /// What follows that head.
    pub(crate) fn new(head: &Parts, incoming: Incoming) -> Self {
        // A client that waits for `100 Continue` has not begun.
        Self { incoming, is_coming: !head.headers.contains_key(header::EXPECT) }
    }

    /// The most that it can come to.
    pub(crate) fn bound(&self, encoding: Encoding, most: usize) -> Result<usize, Answer> {
        match self.incoming.size_hint().exact() {
            // What is larger before inflation is larger after it, but for a few bytes.
            Some(length) if length > most as u64 => Err(Answer::TooLarge(most)),
            Some(length) if encoding == Encoding::Identity => Ok(usize::try_from(length).unwrap_or(most)),
            _ => Ok(most),
        }
    }

    /// All of it, inflated, or the answer that it gets instead.
    pub(crate) async fn read(&mut self, encoding: Encoding, most: usize) -> Result<Bytes, Answer> {
        self.is_coming = true;
        let expected = self.incoming.size_hint().exact().unwrap_or_default().min(most as u64);
        let mut reader = Reader::new(encoding, usize::try_from(expected).unwrap_or_default(), most);
        while let Some(frame) = self.incoming.frame().await {
            let frame = frame.map_err(|_| Answer::Incomplete)?;
            if let Some(data) = frame.data_ref() {
                reader.write(data).map_err(|error| refusal(&error, most))?;
            }
        }
        reader.finish().map_err(|error| refusal(&error, most))
    }

    /// Reads what is left of it, and throws it away.
    pub(crate) async fn drain(mut self) {
        if !self.is_coming {
            return;
        }
        let _ = timeout(Self::DRAIN_TIME, async {
            let mut left = Self::DRAIN;
            while let Some(Ok(frame)) = self.incoming.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                let Some(less) = left.checked_sub(length) else { return };
                left = less;
            }
        })
        .await;
    }
}

fn refusal(error: &io::Error, most: usize) -> Answer {
    match error.kind() {
        io::ErrorKind::FileTooLarge => Answer::TooLarge(most),
        _ => Answer::Bad(format!("the body is no gzip: {error}")),
    }
}

/// What a body becomes, piece by piece.
enum Reader {
    Identity(Capped),
    Gzip { decoder: Box<MultiGzDecoder<Capped>>, received: usize, most: usize },
}

impl Reader {
    fn new(encoding: Encoding, expected: usize, most: usize) -> Self {
        match encoding {
            Encoding::Identity => Self::Identity(Capped { bytes: Vec::with_capacity(expected), most }),
            Encoding::Gzip => {
                let inflated = Capped { bytes: Vec::new(), most };
                Self::Gzip { decoder: Box::new(MultiGzDecoder::new(inflated)), received: 0, most }
            }
        }
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        match self {
            Self::Identity(capped) => capped.write_all(data),
            Self::Gzip { decoder, received, most } => {
                // Members in which there is nothing could follow each other for ever.
                *received += data.len();
                if received > most {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                decoder.write_all(data)
            }
        }
    }

    fn finish(self) -> io::Result<Bytes> {
        let mut bytes = match self {
            Self::Identity(capped) => capped.bytes,
            Self::Gzip { decoder, .. } => decoder.finish()?.bytes,
        };
        // The queue counts what a body holds, so it keeps no more.
        bytes.shrink_to_fit();
        Ok(bytes.into())
    }
}

/// Bytes, but not more than `most`.
struct Capped {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Capped {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() > self.most.saturating_sub(self.bytes.len()) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// The body, or the kind of the error, in pieces of 3 bytes.
    #[track_caller]
    fn check(encoding: Encoding, data: &[u8], most: usize, expect: Result<&[u8], io::ErrorKind>) {
        let mut reader = Reader::new(encoding, 0, most);
        let written = data.chunks(3).try_for_each(|piece| reader.write(piece));
        let read = written.and_then(|()| reader.finish());
        match expect {
            Ok(bytes) => assert_eq!(read.unwrap(), bytes),
            Err(kind) => assert_eq!(read.unwrap_err().kind(), kind),
        }
    }

    #[test]
    fn bodies_are_inflated_up_to_a_bound() {
        let too_large = Err(io::ErrorKind::FileTooLarge);
        check(Encoding::Identity, b"12345678", 8, Ok(b"12345678"));
        check(Encoding::Identity, b"123456789", 8, too_large);
        check(Encoding::Gzip, &gzip(&[b'x'; 100]), 100, Ok(&[b'x'; 100]));
        check(Encoding::Gzip, &gzip(&[b'x'; 101]), 100, too_large);
        check(Encoding::Gzip, &[gzip(b"one "), gzip(b"two")].concat(), 100, Ok(b"one two"));
        check(Encoding::Gzip, &gzip(b"").repeat(100), 500, too_large);
    }

    #[test]
    fn what_is_no_gzip_is_told() {
        let whole = gzip(b"some text that is long enough");
        for cut in 1..whole.len() {
            let mut reader = Reader::new(Encoding::Gzip, 0, 100);
            let written = reader.write(&whole[..cut]);
            assert!(written.and_then(|()| reader.finish()).is_err(), "cut at {cut}");
        }
        check(Encoding::Gzip, b"{\"no\": \"gzip at all\"}", 100, Err(io::ErrorKind::InvalidInput));
    }

    #[test]
    fn encodings_are_read() {
        let of = |encoding: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
            Encoding::of(&headers)
        };
        assert_eq!(Encoding::of(&HeaderMap::new()), Ok(Encoding::Identity));
        assert_eq!(of("Identity"), Ok(Encoding::Identity));
        assert_eq!(of("GZip"), Ok(Encoding::Gzip));
        assert_eq!(of("gzip, gzip"), Err(Answer::OtherEncoding));
        assert_eq!(of("br"), Err(Answer::OtherEncoding));
    }
}
