//! JSON pointers ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)): parsed once, followed in any document.
//!
//! As far as a pointer goes along places that have a name here ([`Node`]), it is followed by the index, which
//! finds each of them once per event; only the rest is looked for each time.

use super::scan::Kind;
use super::value::Beginning;
use super::{Document, Value};
use crate::fields::path::{Name, Node};

/// A way into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// How far it goes along places that have a name.
    node: Node,
    /// The way on from there.
    steps: Box<[Step]>,
}

/// One step: what it means in an object, and what in an array.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    key: Box<str>,
    index: Option<usize>,
}

impl Pointer {
    /// Reads a pointer, with or without its leading slash; every text is one.
    ///
    /// Nothing is the whole document, and `/` is the member whose name is empty.
    /// `~1` is a slash and `~0` a tilde; a tilde before anything else stands for itself.
    /// A step of digits is the index of an array's element, also with zeros before it, as the reference has it;
    /// RFC 6901 has no such zeros.
    pub fn parse(text: &str) -> Pointer {
        if text.is_empty() {
            return Pointer { node: Node::Root, steps: Box::default() };
        }
        let mut steps = text.strip_prefix('/').unwrap_or(text).split('/').map(Step::parse).peekable();
        let mut node = Node::Root;
        while let Some(child) =
            steps.peek().and_then(|step| node.child(Name::new(step.key.as_bytes(), step.key.len())))
        {
            node = child;
            steps.next();
        }
        Pointer { node, steps: steps.collect() }
    }
}

impl Step {
    fn parse(text: &str) -> Step {
        // `~01` is `~1`: the tilde comes last.
        let key = text.replace("~1", "/").replace("~0", "~").into_boxed_str();
        let digits = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
        // An index that is too large for this machine is beyond the end of every array.
        let index = if digits { key.parse().ok() } else { None };
        Step { key, index }
    }

    fn take<'d>(&self, value: Value<'d>) -> Option<Beginning<'d>> {
        match value.kind()? {
            Kind::Object => value.begin_of(&self.key),
            Kind::Array => value.begin_at(self.index?),
            _ => None,
        }
    }
}

impl<'d> Document<'d> {
    /// Where a pointer leads. However many steps it has, it goes through the document once.
    pub(crate) fn find(self, pointer: &Pointer) -> Option<Value<'d>> {
        let value = self.get(pointer.node)?;
        let Some((first, steps)) = pointer.steps.split_first() else { return Some(value) };
        steps.iter().try_fold(first.take(value)?, |found, step| step.take(found.open()))?.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Index;

    const DOCUMENT: &str = r#"{"stage":"Panic","user":{"username":"jane","groups":["a","b"],"uid":7},
        "list":[0,[1,{"x":"y"}],"two"],"a/b":1,"c~d":2,"~1":3,"":{"":4},"0":{"0":5},"e\u0066":6,
        "twice":"first","twice":"second","verb":"get","verb":"list","objectRef":[{"name":"in a list"}]}"#;

    /// The bytes that a pointer leads to.
    #[track_caller]
    fn check_in(document: &str, pointer: &str, expect: Option<&str>) {
        let mut index = Index::default();
        index.rebuild_strictly(document.as_bytes()).unwrap();
        let document = index.view(document.as_bytes());
        let pointer = Pointer::parse(pointer);
        for _ in 0..2 {
            let found = document.find(&pointer).map(|value| std::str::from_utf8(value.raw()).unwrap());
            assert_eq!(found, expect, "{pointer:?}");
        }
    }

    #[track_caller]
    fn check(pointer: &str, expect: &str) {
        check_in(DOCUMENT, pointer, Some(expect));
    }

    #[track_caller]
    fn absent(pointer: &str) {
        check_in(DOCUMENT, pointer, None);
    }

    #[test]
    fn leads_to_members_and_elements() {
        check("/stage", r#""Panic""#);
        check("/user/username", r#""jane""#);
        check("/user/uid", "7");
        check("/user/groups", r#"["a","b"]"#);
        check("/user/groups/1", r#""b""#);
        check("/list/1/1/x", r#""y""#);
        check("/0/0", "5");
        check("/ef", "6");
    }

    #[test]
    fn the_leading_slash_may_be_left_out() {
        check("stage", r#""Panic""#);
        check("list/1/1/x", r#""y""#);
        check("0/0", "5");
    }

    #[test]
    fn nothing_is_the_whole_document() {
        check("", DOCUMENT);
        check_in("\n [1] ", "", Some("[1]"));
        check_in(r#"{"":1}"#, "/", Some("1"));
        check("/", r#"{"":4}"#);
        check("//", "4");
    }

    #[test]
    fn tildes_escape() {
        check("/a~1b", "1");
        check("/c~0d", "2");
        check("/~01", "3");
        check("/c~d", "2");
        absent("/a/b");
        absent("/~1");
    }

    #[test]
    fn an_array_has_elements_only() {
        check("/list/02", r#""two""#);
        for index in ["3", "-", "-0", "-1", "+1", "1.0", "1e0", " 1", "", "x", "18446744073709551616"] {
            absent(&format!("/list/{index}"));
        }
        check_in("[[1],2]", "/0/0", Some("1"));
        check_in("[[1],2]", "1", Some("2"));
        check_in("[1]", "/stage", None);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for pointer in [
            "/nothing",
            "/nothing/deeper",
            "/stage/deeper",
            "/stage/",
            "/user/username/0",
            "/user/groups/0/0",
            "/objectRef/name",
            "/STAGE",
            "stage/",
            "///",
        ] {
            absent(pointer);
        }
        check("/objectRef/0/name", r#""in a list""#);
    }

    #[test]
    fn of_two_members_of_one_name_the_first_counts() {
        check("/twice", r#""first""#);
        check("/verb", r#""get""#);
    }

    #[test]
    fn an_index_of_nothing_has_nothing() {
        let index = Index::default();
        for pointer in ["", "/", "/stage", "0"] {
            assert!(index.view(b"").find(&Pointer::parse(pointer)).is_none(), "{pointer}");
        }
    }

    #[test]
    fn named_places_are_followed_by_the_index() {
        let steps = |pointer: &str| Pointer::parse(pointer).steps.len();
        assert_eq!(steps("/stage"), 0);
        assert_eq!(steps("/requestObject/spec/containers"), 0);
        assert_eq!(steps("/requestObject/spec/containers/0/image"), 2);
        assert_eq!(steps("/annotations/authorization.k8s.io~1decision"), 0);
        assert_eq!(steps("/spec"), 1);
        assert_eq!(steps("/list/1"), 2);
    }
}
