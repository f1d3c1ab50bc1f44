//! The fields that rules can ask for: one static table, and what is rendered from it.
//!
//! It says what there is; how a value is found is [`crate::extract()`]'s.

pub mod path;
pub mod render;
pub mod spec;
mod table;

pub use spec::{ArgKind, FieldSpec};
pub use table::TABLE;

/// A field, by its position in [`TABLE`], which is also Falco's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldId(u16);

impl FieldId {
    /// The field of that number; `None` when the table has none.
    #[inline]
    pub fn new(number: usize) -> Option<FieldId> {
        let id = u16::try_from(number).ok()?;
        TABLE.get(number).map(|_| FieldId(id))
    }

    /// Its position in [`TABLE`].
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    /// What the table says of it.
    #[inline]
    pub fn spec(self) -> &'static FieldSpec {
        static NONE: FieldSpec = FieldSpec {
            name: "",
            list: false,
            arg: ArgKind::None,
            display: "",
            desc: "",
            source: spec::Source::At(path::Node::Root),
        };
        // There is no other way to a `FieldId` than `new`, which has looked.
        TABLE.get(self.number()).unwrap_or(&NONE)
    }

    /// All fields, in Falco's order.
    pub fn all() -> impl Iterator<Item = FieldId> {
        (0..TABLE.len()).filter_map(FieldId::new)
    }
}

/// The field of that name.
pub fn find(name: &str) -> Option<FieldId> {
    TABLE.iter().position(|field| field.name == name).and_then(FieldId::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_found() {
        assert_eq!(TABLE.len(), 100);
        for (number, field) in TABLE.iter().enumerate() {
            assert_eq!(find(field.name).map(FieldId::number), Some(number), "{}", field.name);
        }
        assert_eq!(find("no.such.field"), None);
        assert_eq!(FieldId::new(TABLE.len()), None);
        assert_eq!(FieldId::new(usize::MAX), None);
    }

    #[test]
    fn every_field_is_described() {
        for FieldSpec { name, display, desc, .. } in TABLE {
            assert!(!display.is_empty(), "{name}");
            assert!(desc.ends_with('.') && desc.len() > 15, "{name}: {desc}");
        }
    }

    #[test]
    fn only_lists_take_an_index() {
        for FieldSpec { name, list, arg, .. } in TABLE {
            assert!(*list || *arg != ArgKind::Index, "{name}");
            assert!(!*list || *arg != ArgKind::Key, "{name}");
        }
    }
}
