//! [`AuditFields`]: the `ka.*` fields of audit events.

use std::ffi::CStr;
use std::ops::Range;

use audit_core::fields::FieldId;
use audit_core::fields::render::falco_json;
use audit_core::{Argument, Index, ValueSink, extract};

use super::{Fields, UnknownField, Values};

/// The `ka.*` fields, as [`audit_core::fields::TABLE`] says them.
#[derive(Debug, Default)]
pub struct AuditFields {
    index: Index,
}

impl Fields for AuditFields {
    const SOURCES: &'static CStr = c"[\"k8s_audit\"]";

    fn describe() -> String {
        falco_json()
    }

    fn read(&mut self, payload: &[u8], _timestamp: u64, notes: &[u64]) {
        if !self.index.restore(notes, payload.len()) {
            // What cannot be read gives the index of no event, in which no field has a value.
            let _ = self.index.rebuild(payload);
        }
    }

    fn extract(
        &mut self,
        payload: &[u8],
        field: u32,
        argument: Argument<'_>,
        values: &mut Values,
    ) -> Result<(), UnknownField> {
        let id = usize::try_from(field).ok().and_then(FieldId::new).ok_or(UnknownField(field))?;
        extract(id, argument, self.index.view(payload), values);
        Ok(())
    }
}

impl ValueSink for Values {
    fn value(&mut self, text: &str, range: Option<Range<usize>>) {
        self.push(text, range);
    }

    #[inline]
    fn plain(&mut self, text: &[u8], range: Option<Range<usize>>) {
        self.push_plain(text, range);
    }

    fn assembled(&mut self, range: Option<Range<usize>>, write: impl FnOnce(&mut Vec<u8>)) {
        self.push_written(range, write);
    }
}
