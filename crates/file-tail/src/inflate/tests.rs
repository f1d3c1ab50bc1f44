use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(content: &[u8]) -> Vec<u8> {
    compress_to_vec(content, CompressionLevel::Fastest)
}

/// What is read until the end or an error.
fn inflate(stream: &[u8]) -> (Vec<u8>, io::Result<()>) {
    let mut content = Vec::new();
    let end = open(Cursor::new(stream.to_vec())).and_then(|mut stream| stream.read_to_end(&mut content));
    (content, end.map(drop))
}

#[track_caller]
fn check(stream: &[u8], expect: &[u8]) {
    let (content, end) = inflate(stream);
    end.expect("whole");
    assert!(content == expect, "{} bytes, {} expected", content.len(), expect.len());
}

fn sample() -> Vec<u8> {
    (0..50_000_u32).flat_map(|i| format!("{{\"line\":{i}}}\n").into_bytes()).collect()
}

#[test]
fn plain_content_is_given_as_it_is() {
    for content in [&b""[..], b"a", b"abc", b"abcdefgh", b"\x1f\x8b", b"\x28\xb5\x2f", b"`*M\x18a"] {
        check(content, content);
        assert!(!is_compressed(content), "{content:?}");
    }
}

#[test]
fn compressed_content_is_inflated() {
    for compress in [gzip, zstd] {
        check(&compress(b""), b"");
        check(&compress(b"a\n"), b"a\n");
        check(&compress(&sample()), &sample());
    }
}

#[test]
fn parts_follow_each_other() {
    for compress in [gzip, zstd] {
        check(&[compress(b"a\n"), compress(b""), compress(b"b\n")].concat(), b"a\nb\n");
    }
    let skipped = b"\x5a\x2a\x4d\x18\x03\x00\x00\x00xyz";
    check(&[skipped, &zstd(b"a\n")[..], skipped, &zstd(b"b\n")].concat(), b"a\nb\n");
}

#[test]
fn damage_is_found_behind_what_is_whole() {
    for compress in [gzip, zstd] {
        let whole = compress(&sample());
        let (content, end) = inflate(&whole[..whole.len() / 2]);
        assert_eq!(end.expect_err("cut off").kind(), io::ErrorKind::InvalidData);
        assert!(content.len() > 100_000 && sample().starts_with(&content), "{}", content.len());
        let (_, end) = inflate(&[whole.clone(), b"rubbish".to_vec()].concat());
        assert_eq!(end.expect_err("something behind it").kind(), io::ErrorKind::InvalidData);
        let mut changed = whole.clone();
        // The checksum.
        changed[whole.len() - 6] ^= 1;
        changed[whole.len() - 1] ^= 1;
        assert_eq!(inflate(&changed).1.expect_err("changed").kind(), io::ErrorKind::InvalidData);
    }
}
