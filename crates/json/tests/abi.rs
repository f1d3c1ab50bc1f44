//! The plugin through its C ABI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/host.rs"]
mod host;

use std::sync::{Arc, Mutex};

use host::{Host, library_path};
use object::{Object, ObjectSymbol};
use plugin_host::{Argument, Error, EventBuffer, FieldType, Library, Offset};
use serde_json::{Value, json};

const EVENT: &str = r#"{"auditID":"a-1","stage":"Panic","user":{"username":"jane","groups":["dev","\u0000x","ops\u0000gone"]},
"objectRef" : { "name" : "say \"hi\"" },"responseStatus":{"code":201,"ok":true,"reason":null}}"#;

#[track_caller]
fn check(request: &str, expect: &str) {
    assert_eq!(Host::new().ask(EVENT.as_bytes(), 7, request).as_deref(), Some(expect), "{request}");
}

#[track_caller]
fn absent(payload: &[u8], request: &str) {
    assert_eq!(Host::new().ask(payload, 7, request), None, "{request}");
}

#[test]
fn a_plugin_says_what_it_is() {
    let library = Library::load(library_path()).unwrap();
    assert_eq!((library.name(), library.version().to_string()), ("json", "0.8.0".to_owned()));
    assert_eq!(library.required_api().to_string(), "3.11.0");
    assert_eq!(library.contact(), "github.com/falcosecurity/plugins");
    assert_eq!((library.id(), library.event_source()), (0, ""));
    assert_eq!(library.extract_sources(), [""; 0], "every one");
}

/// The host takes a plugin for what its symbols say.
#[test]
fn it_exports_extraction_and_no_source() {
    let bytes = std::fs::read(library_path()).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let mut exported: Vec<_> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition())
        .filter_map(|symbol| symbol.name().unwrap().strip_prefix("plugin_"))
        .collect();
    exported.sort_unstable();
    assert_eq!(
        exported,
        [
            "destroy",
            "extract_fields",
            "get_contact",
            "get_description",
            "get_extract_event_sources",
            "get_extract_event_types",
            "get_fields",
            "get_init_schema",
            "get_last_error",
            "get_metrics",
            "get_name",
            "get_required_api_version",
            "get_version",
            "init",
        ]
    );
    let error = Host::new().plugin.open("").unwrap_err();
    assert!(matches!(error, Error::NotCapable { .. }), "{error}");
}

#[test]
fn fields_have_the_arguments_of_the_go_plugin() {
    let library = Library::load(library_path()).unwrap();
    let pointer = Argument { required: true, index: false, key: true };
    let expect = [
        ("json.value", pointer),
        ("json.obj", Argument::default()),
        ("json.rawtime", Argument::default()),
        ("jevt.value", pointer),
        ("jevt.obj", Argument::default()),
        ("jevt.rawtime", Argument::default()),
    ];
    let fields = library.fields().iter().map(|field| (field.name.as_str(), field.argument));
    assert!(fields.eq(expect));
    assert!(library.fields().iter().all(|field| field.kind == FieldType::String && !field.list));
}

/// What is warned about with that configuration.
#[track_caller]
fn warns(config: &str, expect: &[&str]) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let library = Library::load(library_path()).unwrap();
    let plugin = library.init(config, move |_, line| sink.lock().unwrap().push(line.to_owned())).unwrap();
    drop(plugin);
    assert_eq!(*lines.lock().unwrap(), expect, "{config}");
}

#[test]
fn a_configuration_is_accepted() {
    warns("", &[]);
    warns("{}", &[]);
    warns(r#"{"useAsync":false}"#, &[]);
    warns(r#"{"use_async":true,"log_level":"debug"}"#, &[]);
    warns(r#"{"useasync":true}"#, &[]);
    warns(r#"{"checkpoint_interval":1}"#, &["json: unknown key `checkpoint_interval` is ignored"]);
    let library = Library::load(library_path()).unwrap();
    let error = library.init(r#"{"useAsync":"yes"}"#, |_, _| {}).unwrap_err().to_string();
    assert!(error.ends_with("`useAsync`: expected `true` or `false`, found a string"), "{error}");
}

#[test]
fn the_schema_has_no_keys_of_a_source() {
    let schema = Library::load(library_path()).unwrap().init_schema().unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut keys: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["log_level", "useAsync", "use_async"]);
    assert_eq!(schema["properties"]["useAsync"]["default"], true);
}

#[test]
fn there_are_no_metrics_of_a_source() {
    assert_eq!(Host::new().plugin.metrics().len(), 0);
}

#[test]
fn a_value_is_found_by_its_pointer() {
    check("json.value[/stage]", "Panic");
    check("jevt.value[stage]", "Panic");
    check("json.value[/user/groups/0]", "dev");
    check("json.value[/objectRef/name]", "say \"hi\"");
    check("json.value[/objectRef]", r#"{"name":"say \"hi\""}"#);
    check("json.value[/responseStatus]", r#"{"code":201,"ok":true,"reason":null}"#);
    check("json.value[/responseStatus/code]", "201");
    check("json.value[/responseStatus/ok]", "true");
    check("json.value[/responseStatus/reason]", "null");
    let whole = EVENT.replace([' ', '\n'], "").replace("say\\", "say \\");
    check("json.value[]", &whole);
}

#[test]
fn a_value_ends_at_nul() {
    check("json.value[/user/groups/1]", "");
    check("json.value[/user/groups/2]", "ops");
}

#[test]
fn a_document_is_indented() {
    let host = Host::new();
    let expect = "{\n  \"a\": [\n    1.50,\n    {}\n  ]\n}";
    assert_eq!(host.ask(br#"{"a":[1.50,{}]}"#, 7, "json.obj").as_deref(), Some(expect));
    assert_eq!(host.ask(br#"{"a":[1.50,{}]}"#, 7, "jevt.obj").as_deref(), Some(expect));
    let indented = host.ask(EVENT.as_bytes(), 7, "json.obj").unwrap();
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parsed(&indented), parsed(EVENT));
}

#[test]
fn time_is_that_of_the_event() {
    let host = Host::new();
    for time in [0, 1_700_000_000_123_456_789, u64::MAX - 1] {
        let answers = host.ask_all(b"{}", time, ["json.rawtime", "jevt.rawtime"]);
        assert_eq!(answers, [Some(time.to_string()), Some(time.to_string())]);
    }
}

/// And no error: `ask` would fail.
#[test]
fn what_is_no_json_has_no_value() {
    let deep = ["[".repeat(100_000), r#"{"a":"#.repeat(100_000)];
    let payloads: [&[u8]; 22] = [
        b"",
        b" ",
        b"\0",
        b"\xff\xfe",
        b"no JSON",
        b"a=1",
        b"{",
        b"[",
        b"[1",
        br#"{"stage":"Panic""#,
        br#"{"stage":"Panic"} {}"#,
        br#"{"stage":"Panic",}"#,
        br#"{'stage':'Panic'}"#,
        br#"{"stage":Panic}"#,
        br#"{"stage":"Pan\ic"}"#,
        b"{\"stage\":\"Pan\tic\"}",
        br#"{"stage":01}"#,
        b"\xef\xbb\xbf{\"stage\":\"Panic\"}",
        // JSON, but nothing that a pointer could lead into.
        b"42",
        br#""text""#,
        deep[0].as_bytes(),
        deep[1].as_bytes(),
    ];
    for payload in payloads {
        for request in ["json.value[/stage]", "jevt.value[0]", "json.value[]", "json.obj", "json.rawtime"] {
            absent(payload, request);
        }
    }
}

#[test]
fn what_is_not_there_has_no_value() {
    for pointer in ["/nothing", "/", "/stage/deeper", "/user/groups/3", "/user/groups/-", "/user/groups/x"] {
        absent(EVENT.as_bytes(), &format!("json.value[{pointer}]"));
    }
}

/// Nothing recurses, and what is nested deeper than is validated is found all the same.
#[test]
fn depth_is_bounded() {
    let host = Host::new();
    let levels = 100_000;
    let document = format!(r#"{}"x"{}"#, r#"{"a":"#.repeat(levels), "}".repeat(levels));
    let at = |path: &str| host.ask(document.as_bytes(), 7, &format!("json.value[{path}]"));
    assert_eq!(at(&"/a".repeat(1000)).unwrap(), document[5 * 1000..document.len() - 1000]);
    assert_eq!(at(&"/a".repeat(levels)).as_deref(), Some("x"));
    assert_eq!(at(&"/a".repeat(levels + 1)), None);
    assert_eq!(at(&("/a".repeat(levels) + "/b")), None);
    // Indented, it would be larger than memory.
    assert_eq!(host.ask(document.as_bytes(), 7, "json.obj").unwrap(), document);
}

#[test]
fn a_field_without_its_argument_is_refused() {
    let library = Library::load(library_path()).unwrap();
    for request in ["json.value", "jevt.value", "json.obj[/a]", "json.rawtime[0]", "json.other"] {
        assert!(library.request(request).is_err(), "{request}");
    }
}

#[test]
fn several_fields_in_one_call_are_as_right_as_one() {
    let host = Host::new();
    let names = [
        "json.value[/stage]",
        "jevt.value[/nothing]",
        "json.obj",
        "json.value[/user]",
        "json.rawtime",
        "jevt.value[]",
    ];
    let buffer = EventBuffer::new(1, "some_source", 7, EVENT.as_bytes()).unwrap();
    let event = buffer.event(1);
    let requests = names.map(|name| host.library.request(name).unwrap());
    let together = host.plugin.extract(&event, &requests.each_ref()).unwrap();
    let alone = requests.iter().map(|request| host.plugin.extract_one(&event, request).unwrap());
    assert!(together.into_iter().map(|extracted| extracted.values).eq(alone));
}

/// Where the value of a field stands in the event; nowhere, if it was computed.
#[track_caller]
fn stands_at(request: &str, expect: &str) {
    let host = Host::new();
    let buffer = EventBuffer::new(1, "some_source", 7, EVENT.as_bytes()).unwrap();
    let event = buffer.event(1);
    let request = host.library.request(request).unwrap();
    let answers = host.plugin.extract_offsets(&event, &[&request]).unwrap();
    let offsets = answers[0].offsets.as_ref().unwrap();
    let text = |Offset { start, length }: &Offset| {
        assert_eq!(*start == 0, *length == 0);
        std::str::from_utf8(&event.bytes()[*start as usize..][..*length as usize]).unwrap().to_owned()
    };
    assert_eq!(offsets.iter().map(text).collect::<Vec<_>>(), [expect]);
}

#[test]
fn offsets_point_to_where_a_value_stands() {
    stands_at("json.value[/stage]", "Panic");
    stands_at("json.value[/user/username]", "jane");
    stands_at("json.value[/responseStatus/code]", "201");
    stands_at("json.value[/objectRef/name]", r#"say \"hi\""#);
    stands_at("json.value[/objectRef]", r#"{ "name" : "say \"hi\"" }"#);
    stands_at("json.obj", "");
    stands_at("json.rawtime", "");
}

/// A pointer is parsed once; the next event is another one.
#[test]
fn answers_follow_the_event() {
    let host = Host::new();
    for round in 0..3 {
        for (payload, expect) in [
            (json!({ "a": { "b": round } }), round.to_string()),
            (json!({ "x": [], "a": { "b": [round] } }), format!("[{round}]")),
            (json!({ "a": { "b": "longer" } }), "longer".to_owned()),
        ] {
            let answers =
                host.ask_all(payload.to_string().as_bytes(), 7, ["json.value[/a/b]", "jevt.value[a/b]"]);
            assert_eq!(answers, [Some(expect.clone()), Some(expect)]);
        }
        assert_eq!(host.ask(b"[]", 7, "json.value[/a/b]"), None);
    }
}

/// Falco initialises a plugin once per event source.
#[test]
fn several_in_one_process_do_not_disturb_each_other() {
    let (first, second) = (Host::new(), Host::new());
    assert_eq!(first.ask(b"[1]", 7, "json.value[0]").as_deref(), Some("1"));
    assert_eq!(second.ask(b"[2]", 7, "json.value[0]").as_deref(), Some("2"));
    drop(first);
    assert_eq!(second.ask(b"[3]", 7, "json.value[0]").as_deref(), Some("3"));
}
