use tokio::sync::mpsc::channel;

use super::*;

/// Splits `content`, given in pieces of that many bytes; with a `+` behind what was cut.
fn split(mut splitter: Splitter, content: &[u8], piece: usize) -> Vec<String> {
    let metrics = FileMetrics::default();
    let (sender, mut receiver) = channel(1);
    let mut records = Vec::new();
    let mut cut = 0;
    // Full with each record: nothing may depend on where a batch ends.
    let mut outbox = Outbox::new(sender, 1, 1);
    let mut take = |outbox: &mut Outbox| {
        outbox.flush(None).expect("room");
        while let Ok(crate::outbox::Message::Records(batch, _)) = receiver.try_recv() {
            records.extend(batch.iter().map(|record| String::from_utf8_lossy(&record.bytes).into_owned()));
            let now = metrics.records_cut.get();
            if std::mem::replace(&mut cut, now) < now {
                records.last_mut().expect("it was cut").push('+');
            }
        }
    };
    for mut rest in content.chunks(piece) {
        while !rest.is_empty() {
            let read = splitter.feed(rest, &mut outbox, &metrics);
            rest = &rest[read..];
            take(&mut outbox);
        }
    }
    splitter.end(&mut outbox, &metrics);
    take(&mut outbox);
    assert_eq!(metrics.records_read.get(), records.len() as u64);
    records
}

#[track_caller]
fn check(content: &str, expect: &[&str]) {
    for piece in [1, 2, 3, 7, 1000] {
        assert_eq!(split(Splitter::either(20), content.as_bytes(), piece), expect, "in pieces of {piece}");
    }
}

#[track_caller]
fn check_lines(content: &str, expect: &[&str]) {
    check(content, expect);
    for piece in [1, 2, 3, 7, 1000] {
        assert_eq!(split(Splitter::lines(20), content.as_bytes(), piece), expect, "in pieces of {piece}");
    }
}

#[track_caller]
fn check_long(content: &str, expect: &[&str]) {
    for piece in [1, 2, 3, 7, 1000] {
        assert_eq!(split(Splitter::either(1000), content.as_bytes(), piece), expect, "in pieces of {piece}");
    }
}

#[test]
fn a_line_is_a_record() {
    check_lines("", &[]);
    check_lines("a", &["a"]);
    check_lines("a\n", &["a"]);
    check_lines("a\nb", &["a", "b"]);
    check_lines("a\r\nb\r\n", &["a", "b"]);
    check_lines("\n\r\n \n\ta \n\n", &["\ta "]);
    check_lines("\u{feff}\n\u{feff}a\nb\u{feff}\n", &["a", "b\u{feff}"]);
    check_lines("{}\n[1,\n{\n", &["{}", "[1,", "{"]);
}

#[test]
fn a_hole_is_no_part_of_a_line() {
    check_lines("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a\nb", &["a", "b"]);
    check_lines("a\0b\n\0\0\n\0", &["a\0b"]);
}

#[test]
fn a_long_line_is_cut() {
    check_lines("12345678901234567890\n", &["12345678901234567890"]);
    check_lines("12345678901234567890\r\n", &["12345678901234567890+"]);
    check_lines("123456789012345678901\nb\n", &["12345678901234567890+", "b"]);
    check_lines("a\n123456789012345678901", &["a", "12345678901234567890+"]);
}

#[test]
fn a_document_over_several_lines_is_a_record() {
    check("{\n \"a\": 1\n}\n", &["{\n \"a\": 1\n}"]);
    check("{\r\n\"a\":1\r\n}", &["{\r\n\"a\":1\r\n}"]);
    check("\n\n[\n{},\n{}\n]\n\n{\"b\":\n2}{}", &["[\n{},\n{}\n]", "{\"b\":\n2}", "{}"]);
    check("{\"a\": [\n\"}\\\"]\"\n]}\nend", &["{\"a\": [\n\"}\\\"]\"\n]}", "end"]);
    check("\u{feff}{\n}", &["{\n}"]);
}

#[test]
fn what_is_between_documents_is_a_record_for_each_line() {
    check("[\n]\nx\ny {\n}, [\n]", &["[\n]", "x", "y ", "{\n}", ", ", "[\n]"]);
}

#[test]
fn a_long_document_is_cut_and_the_next_one_is_whole() {
    check("{\n\"a\":\"12345678901234567890\"}\n{\n}", &["{\n\"a\":\"1234567890123+", "{\n}"]);
}

#[test]
fn a_document_that_is_not_complete_is_given_as_it_is() {
    check("{\n\"a\": 1", &["{\n\"a\": 1"]);
    check("{\n\"a\n}\n{\n}", &["{\n\"a\n}", "{\n}"]);
}

#[test]
fn lines_are_not_taken_for_documents() {
    // Cut off in a string; closed and opened again; one line only.
    check("{\"a\":\"b\n{}\n", &["{\"a\":\"b", "{}"]);
    check("{}{\n{}\n", &["{}{", "{}"]);
    check("{\"a\":1\n{}\n", &["{\"a\":1", "{}"]);
    check("text {\n}\n", &["text {", "}"]);
    check("{", &["{"]);
}

#[test]
fn a_document_that_was_cut_off_costs_the_next_ones_nothing() {
    // A first line that was cut off behind a comma, or behind what else begins a document.
    for torn in
        ["{\"a\":1,", "{\"a\":", "{\"a\":{", "{\"a\":[", "{\"a\":[\"b\",", "{\"a\":[{},", "{\"a\":[[{},"]
    {
        let content = format!("{torn}\n{{\"b\":2}}\n{{\"c\":3}}\r\n{{\"d\":4}}\n");
        check(&content, &[torn, "{\"b\":2}", "{\"c\":3}", "{\"d\":4}"]);
        // At the end of the file.
        check(&format!("{torn}\n{{\"b\":2}}"), &[torn, "{\"b\":2}"]);
    }
    let whole = "{\n \"a\": [\n  {\n   \"b\": \"}\\\\\"\n  },\n  {}\n ]\n}";
    for end in whole.match_indices('\n').map(|(at, _)| at + 1) {
        let torn = &whole[..end];
        check_long(&format!("{whole}\n{torn}{whole}\n{whole}\n"), &[whole, torn.trim_end(), whole, whole]);
    }
    check_long(&format!("{whole}\n{{\n \"a\": \"b\\\n{whole}"), &[whole, "{\n \"a\": \"b\\", whole]);
}

#[test]
fn a_list_with_a_line_for_each_item_is_a_document() {
    for list in [
        "[\n{\"a\":1},\n{\"b\":2}\n]",
        "[{\"a\":1},\n{\"b\":2}]",
        "{\"items\":[\n{\"a\":1},\r\n{\"b\":2}\n],\n\"kind\":\"List\"}",
    ] {
        check_long(&format!("{list}\n{list}\n"), &[list, list]);
    }
}

#[test]
fn a_first_line_of_any_length_is_a_line() {
    let long = "x".repeat(FIRST_LINE * 3) + "\nb\n";
    let records = split(Splitter::either(usize::MAX), long.as_bytes(), 1000);
    assert_eq!(records.iter().map(String::len).collect::<Vec<_>>(), [FIRST_LINE * 3, 1]);
}

#[test]
fn a_long_first_line_is_no_document_wherever_a_chunk_ends() {
    // A cut off line, which would swallow all that follows if it were the beginning of a document.
    let long = format!("{{\"a\":[{}", "{},".repeat(FIRST_LINE));
    for max_record_bytes in [usize::MAX, 1024] {
        let content = format!("{long}\n{{}}\n");
        let records = split(Splitter::either(max_record_bytes), content.as_bytes(), long.len() - 2);
        assert_eq!(records.len(), 2);
        assert_eq!(records[1], "{}");
    }
    let marked = format!("\u{feff}{}\n", "x".repeat(COPY * 2));
    let records = split(Splitter::lines(usize::MAX), marked.as_bytes(), 1000);
    assert_eq!(records, ["x".repeat(COPY * 2)]);
}

#[test]
fn a_record_owns_no_more_than_its_bytes() {
    let metrics = FileMetrics::default();
    let (sender, _receiver) = channel(1);
    let mut outbox = Outbox::new(sender, usize::MAX, usize::MAX);
    let mut splitter = Splitter::lines(COPY * 3);
    splitter.feed(&vec![b'x'; COPY * 2 + 1], &mut outbox, &metrics);
    assert!(splitter.kept.capacity() <= COPY * 3, "{}", splitter.kept.capacity());
    splitter.feed(&vec![b'x'; COPY * 2], &mut outbox, &metrics);
    assert_eq!(splitter.kept.capacity(), COPY * 3);
    splitter.end(&mut outbox, &metrics);
    assert_eq!(splitter.kept.capacity(), 0, "handed over");
    assert_eq!((metrics.records_cut.get(), metrics.bytes_cut.get()), (1, COPY as u64 + 1));
}
