//! [`Position`]: how far a partition was read.

use std::collections::HashMap;

/// The last message that was read, as checkpoints tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Its sequence number; -1 is before the first.
    pub(crate) sequence: i64,
    /// Its offset: opaque, and not there in every checkpoint.
    pub(crate) offset: Option<String>,
}

/// The names of a checkpoint's metadata, as all Azure SDKs write them.
const SEQUENCE: &str = "sequencenumber";
const OFFSET: &str = "offset";

impl Position {
    /// Before the first message.
    pub(crate) const START: Self = Self { sequence: -1, offset: None };

    /// What a checkpoint's metadata say; `None` when they name no position.
    pub(crate) fn from_metadata(metadata: &HashMap<String, String>) -> Option<Self> {
        let sequence = metadata.get(SEQUENCE).and_then(|text| text.trim().parse().ok());
        let offset = metadata.get(OFFSET).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        match (sequence, offset) {
            (Some(sequence), offset) => Some(Self { sequence, offset }),
            // The oldest SDKs wrote only one of them.
            (None, Some(offset)) => Some(Self { sequence: -1, offset: Some(offset) }),
            (None, None) => None,
        }
    }

    pub(crate) fn to_metadata(&self) -> Vec<(&'static str, String)> {
        // Whoever reads a checkpoint of a partition in which nothing was read yet starts before its first message.
        let offset = self.offset.clone().unwrap_or_else(|| "-1".to_owned());
        if self.offset.is_none() && self.sequence >= 0 {
            return vec![(SEQUENCE, self.sequence.to_string())];
        }
        vec![(SEQUENCE, self.sequence.to_string()), (OFFSET, offset)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(metadata: &[(&str, &str)], expect: Option<(i64, Option<&str>)>) {
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let position = Position::from_metadata(&metadata);
        assert_eq!(position.as_ref().map(|one| (one.sequence, one.offset.as_deref())), expect);
    }

    #[test]
    fn what_other_sdks_write() {
        check(&[("sequencenumber", "41"), ("offset", "8192")], Some((41, Some("8192"))));
        check(&[("sequencenumber", "41"), ("offset", "")], Some((41, None)));
        check(&[("offset", "1:2:3")], Some((-1, Some("1:2:3"))));
        check(&[("sequencenumber", "x")], None);
        check(&[], None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (sequence, offset) in [(-1, None), (7, Some("99")), (7, None)] {
            let position = Position { sequence, offset: offset.map(str::to_owned) };
            let metadata =
                position.to_metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let read = Position::from_metadata(&metadata).expect("a position");
            assert_eq!(read.sequence, sequence);
            assert_eq!(read.offset.as_deref().filter(|offset| *offset != "-1"), offset);
        }
    }
}
