use super::*;
use crate::document::twins::{dice, levels};

/// In an array, since a document that is nothing but a number has no end.
#[track_caller]
fn check(value: &str, valid: bool) {
    let document = format!("[{value}]");
    let walked = walk(document.as_bytes(), 0, 0, &mut ());
    // As much behind it as they look at at once.
    let longer = format!("[{value},\"{}\"]", "x".repeat(100));
    for level in levels() {
        let walk = |document: &str| walk_at(level, document.as_bytes(), 0, 0, &mut ());
        assert_eq!(walk(&document), walked, "{value}: {level:?}");
        assert_eq!(walk(&longer) == Ok(longer.len()), valid, "{longer}: {level:?}");
    }
    assert_eq!(walked == Ok(document.len()), valid, "{value}: {walked:?}");
    assert_eq!(
        serde_json::from_str::<serde::de::IgnoredAny>(&document).is_ok(),
        valid,
        "{value}: serde_json"
    );
    if valid {
        assert_eq!(skip(document.as_bytes(), 0), walked, "{value}");
    }
}

#[test]
fn numbers() {
    for number in [
        "0",
        "-0",
        "1",
        "120",
        "-1.5",
        "1.50",
        "0.0",
        "1e3",
        "1E+3",
        "1e-30",
        "-1.5e07",
        "12345678901234567890123",
    ] {
        check(number, true);
    }
    for number in [
        "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "1.e3", "0x1", "1_000", "NaN", "Infinity", "1 2",
        "--1",
    ] {
        check(number, false);
    }
}

#[test]
fn literals() {
    for literal in ["true", "false", "null", " true ", "\ttrue\r\n"] {
        check(literal, true);
    }
    for literal in ["True", "tru", "truee", "nul", "nulll", "undefined", "true false"] {
        check(literal, false);
    }
}

#[test]
fn strings() {
    for string in [
        r#""""#,
        r#""a""#,
        r#""\"""#,
        r#""\\""#,
        r#""\/\b\f\n\r\t""#,
        r#""\u00e9\uD83D\uDE80""#,
        "\"é日🚀\"",
        "\"\u{7f}\"",
    ] {
        check(string, true);
    }
    for string in [
        "\"",
        "\"a",
        r#""\"#,
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        "\"\n\"",
        "\"\0\"",
        "\"\u{1f}\"",
        "'a'",
        r#""a"b"#,
    ] {
        check(string, false);
    }
}

#[test]
fn strings_end_where_they_do_byte_by_byte() {
    let mut next = dice(7);
    let parts: [&[u8]; 16] = [
        b"\"",
        b"\n",
        b"\\",
        b"\\x",
        b"\\u12",
        b"\x1f",
        b"\\\"",
        b"\\\\",
        b"\\n",
        b"\\u00e9",
        b"\\/",
        b"abc",
        b"sixteen bytes it",
        b" ",
        "\u{e9}".as_bytes(),
        b"\x7f",
    ];
    for _ in 0..60_000 {
        let mut text = b"\"".to_vec();
        let parts_from = if next(3) == 0 { 0 } else { 6 };
        for _ in 0..next(50) {
            text.extend_from_slice(parts[parts_from + next(parts.len() - parts_from)]);
        }
        text.extend_from_slice(
            [b"\"".as_slice(), b"\",\"more\":{}, and more and more and more and more and more and more", b""]
                [next(3)],
        );
        for level in levels() {
            let ends = string_at(level, &text, 0);
            assert_eq!(ends, string_plainly(&text, 1), "{:?}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn a_string_stops_at_every_byte_that_must() {
    for len in [0, 1, 15, 16, 17, 63, 64, 65, 100, 200] {
        for at in 0..len {
            for byte in 0..=u8::MAX {
                // What stands before a stop must not hide it, nor make one.
                for around in [b'a', b'!', b'#', b'[', b']', b' ', 0x7f, 0x80, 0xff] {
                    let mut text = vec![around; len + 1];
                    text[0] = b'"';
                    text[at + 1] = byte;
                    let ends = string_plainly(&text, 1);
                    for level in levels() {
                        assert_eq!(string_at(level, &text, 0), ends, "{byte} at {at} of {len}, {level:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn objects_and_arrays() {
    for value in [
        "{}",
        "{ }",
        "[]",
        "[ ]",
        "[[],{}]",
        r#"{"a":1}"#,
        r#"{ "a" : [ 1 , {"b":null} ] , "a" : "" }"#,
        "1,2",
    ] {
        check(value, true);
    }
    for value in [
        "{",
        "}",
        "[",
        "{]",
        "[}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{a:1}"#,
        r#"{"a" 1}"#,
        r#"{1:2}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":1}}"#,
        ",",
        ":",
    ] {
        check(value, false);
    }
}

#[test]
fn depth_has_a_bound() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(walk(nested(MAX_DEPTH).as_bytes(), 0, 0, &mut ()).is_ok());
    let too_deep = ScanError { at: MAX_DEPTH, kind: ScanErrorKind::TooDeep };
    assert_eq!(walk(nested(MAX_DEPTH + 1).as_bytes(), 0, 0, &mut ()), Err(too_deep));
    assert!(walk(nested(MAX_DEPTH - 1).as_bytes(), 0, 1, &mut ()).is_ok());
    assert!(walk(nested(MAX_DEPTH).as_bytes(), 0, 1, &mut ()).is_err());
    assert_eq!(skip(nested(1_000_000).as_bytes(), 0), Ok(2_000_000));
}

#[track_caller]
fn check_error(document: &str, at: usize, kind: ScanErrorKind) {
    assert_eq!(walk(document.as_bytes(), 0, 0, &mut ()), Err(ScanError { at, kind }), "{document}");
}

#[test]
fn errors_tell_where_and_whether_more_could_help() {
    check_error(r#"{"a":tr"#, 7, ScanErrorKind::End);
    check_error(r#"{"a":"\u00"#, 10, ScanErrorKind::End);
    check_error(r#"{"a":20"#, 7, ScanErrorKind::End);
    check_error(r#"{"a":2x"#, 6, ScanErrorKind::Unexpected);
    check_error(r#"{"a":trx"#, 5, ScanErrorKind::Unexpected);
    check_error("{\"a\":\"bc\u{1}", 8, ScanErrorKind::Unexpected);
    check_error("", 0, ScanErrorKind::End);
}

#[test]
fn finds_space_between_tokens_only() {
    for (raw, expect) in [
        ("[1,2]", false),
        ("[1, 2]", true),
        (r#"["a b"]"#, false),
        (r#"["a\" b"]"#, false),
        ("[\"a\"\n]", true),
        ("\"", false),
    ] {
        assert_eq!(has_space(raw.as_bytes()), expect, "{raw}");
    }
}
