//! One `plugin_extract_fields` call: what goes in, and what comes out, copied.

use std::ffi::CStr;
use std::ptr;

use falco_plugin_api::{ss_plugin_extract_field, ss_plugin_extract_field__bindgen_ty_1};

use crate::{FieldType, Request};

/// One value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Of a string field, in UTF-8.
    Text(String),
    /// Of a number, or of a time in nanoseconds.
    Number(u64),
    /// Of a boolean.
    Bool(bool),
    /// Of an address or a network; or of a string that is not UTF-8.
    Bytes(Vec<u8>),
}

impl Value {
    /// The text of a text value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Where a value stands in its event, counted from the start of the event's header;
/// `start` and `length` are both 0 for a computed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// Bytes before the value; the payload starts at [`HEADER_LEN`](crate::HEADER_LEN).
    pub start: u32,
    /// Bytes of the value.
    pub length: u32,
}

/// Answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// Empty for no value; at most one unless the field is a list.
    pub values: Vec<Value>,
    /// One per value when offsets were asked for and the plugin gave them.
    pub offsets: Option<Vec<Offset>>,
}

/// The structure that the plugin fills in; it points into `request`.
pub(crate) fn field(request: &Request) -> ss_plugin_extract_field {
    ss_plugin_extract_field {
        res: ss_plugin_extract_field__bindgen_ty_1 { str_: ptr::null_mut() },
        // libsinsp leaves it to the plugin; a plugin that forgets it answers nothing here.
        res_len: 0,
        field_id: request.id,
        field: request.name.as_ptr(),
        arg_key: request.key.as_ref().map_or(ptr::null(), |key| key.as_ptr()),
        arg_index: request.index,
        arg_present: request.present.into(),
        ftype: request.kind.code(),
        flist: request.list.into(),
    }
}

/// Copies the values that a successful call left in `field`.
///
/// # Errors
/// What the plugin did wrong.
///
/// # Safety
/// `field` was filled in by the plugin for a request of type `kind`, and no other
/// extraction has run since.
pub(crate) unsafe fn values(field: &ss_plugin_extract_field, kind: FieldType) -> Result<Vec<Value>, String> {
    let Ok(len) = usize::try_from(field.res_len) else { return Err("too many values".to_owned()) };
    if len == 0 {
        return Ok(Vec::new());
    }
    if field.flist == 0 && len > 1 {
        return Err(format!("{len} values for a field that is no list"));
    }
    // SAFETY: every member of the union is a pointer of the same size.
    if unsafe { field.res.str_ }.is_null() {
        return Err(format!("{len} values at NULL"));
    }
    match kind {
        FieldType::String => {
            // SAFETY: the plugin API says that a string field's result is `res_len` C strings.
            let strings = unsafe { std::slice::from_raw_parts(field.res.str_, len) };
            strings
                .iter()
                .map(|&string| {
                    if string.is_null() {
                        return Err("a string at NULL".to_owned());
                    }
                    // SAFETY: not NULL, and a C string by the plugin API.
                    let bytes = unsafe { CStr::from_ptr(string) }.to_bytes().to_vec();
                    Ok(String::from_utf8(bytes)
                        .map_or_else(|not_utf8| Value::Bytes(not_utf8.into_bytes()), Value::Text))
                })
                .collect()
        }
        FieldType::Uint64 | FieldType::Reltime | FieldType::Abstime => {
            // SAFETY: the plugin API says that the result is `res_len` 64-bit numbers.
            let numbers = unsafe { std::slice::from_raw_parts(field.res.u64_, len) };
            Ok(numbers.iter().map(|&number| Value::Number(number)).collect())
        }
        FieldType::Bool => {
            // SAFETY: the plugin API says that the result is `res_len` 32-bit booleans.
            let flags = unsafe { std::slice::from_raw_parts(field.res.boolean, len) };
            Ok(flags.iter().map(|&flag| Value::Bool(flag != 0)).collect())
        }
        FieldType::Ipaddr | FieldType::Ipnet => {
            // SAFETY: the plugin API says that the result is `res_len` buffers.
            let buffers = unsafe { std::slice::from_raw_parts(field.res.buf, len) };
            let copy = |buffer: &falco_plugin_api::ss_plugin_byte_buffer| {
                if buffer.ptr.is_null() {
                    return Err("a buffer at NULL".to_owned());
                }
                // SAFETY: not NULL, and `len` bytes by the plugin API.
                let bytes =
                    unsafe { std::slice::from_raw_parts(buffer.ptr.cast::<u8>(), buffer.len as usize) };
                Ok(Value::Bytes(bytes.to_vec()))
            };
            buffers.iter().map(copy).collect()
        }
    }
}

/// Copies the offsets of `len` values; `None` when the plugin gave none.
///
/// # Safety
/// `offsets` was filled in by the plugin for a field of `len` values, and no other
/// extraction has run since.
pub(crate) unsafe fn offsets(
    offsets: &falco_plugin_api::ss_plugin_extract_value_offsets,
    len: usize,
) -> Option<Vec<Offset>> {
    if offsets.start.is_null() || offsets.length.is_null() {
        return None;
    }
    // SAFETY: both set means one entry per value, by the plugin API.
    let (starts, lengths) = unsafe {
        (std::slice::from_raw_parts(offsets.start, len), std::slice::from_raw_parts(offsets.length, len))
    };
    Some(starts.iter().zip(lengths).map(|(&start, &length)| Offset { start, length }).collect())
}
