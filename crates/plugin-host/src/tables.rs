//! State tables: there are none here.
//!
//! libsinsp hands a plugin that extracts fields a set of callbacks, none of them NULL,
//! and SDKs check that. A plugin of audit events asks for no table; one that does is
//! told, by every callback, that there is none.

use std::ffi::c_char;
use std::ptr;

use falco_plugin_api::{
    ss_plugin_bool, ss_plugin_init_tables_input, ss_plugin_owner_t, ss_plugin_rc,
    ss_plugin_rc_SS_PLUGIN_FAILURE, ss_plugin_state_data, ss_plugin_state_type, ss_plugin_table_entry_t,
    ss_plugin_table_field_t, ss_plugin_table_fieldinfo, ss_plugin_table_fields_vtable,
    ss_plugin_table_fields_vtable_ext, ss_plugin_table_info, ss_plugin_table_input,
    ss_plugin_table_iterator_func_t, ss_plugin_table_iterator_state_t, ss_plugin_table_reader_vtable,
    ss_plugin_table_reader_vtable_ext, ss_plugin_table_t, ss_plugin_table_writer_vtable_ext,
};

type Table = *mut ss_plugin_table_t;
type Entry = *mut ss_plugin_table_entry_t;

/// The callbacks, at addresses that hold as long as this value.
pub(crate) struct Tables {
    fields: Box<ss_plugin_table_fields_vtable_ext>,
    reader: Box<ss_plugin_table_reader_vtable_ext>,
    writer: Box<ss_plugin_table_writer_vtable_ext>,
}

impl Tables {
    pub(crate) fn none() -> Self {
        Self {
            fields: Box::new(ss_plugin_table_fields_vtable_ext {
                list_table_fields: Some(list_table_fields),
                get_table_field: Some(table_field),
                add_table_field: Some(table_field),
            }),
            reader: Box::new(ss_plugin_table_reader_vtable_ext {
                get_table_name: Some(get_table_name),
                get_table_size: Some(get_table_size),
                get_table_entry: Some(get_table_entry),
                read_entry_field: Some(read_entry_field),
                release_table_entry: Some(drop_entry),
                iterate_entries: Some(iterate_entries),
            }),
            writer: Box::new(ss_plugin_table_writer_vtable_ext {
                clear_table: Some(clear_table),
                erase_table_entry: Some(erase_table_entry),
                create_table_entry: Some(create_table_entry),
                destroy_table_entry: Some(drop_entry),
                add_table_entry: Some(add_table_entry),
                write_entry_field: Some(write_entry_field),
            }),
        }
    }

    /// What `plugin_init` gets; it points into `self`.
    pub(crate) fn init_input(&self) -> ss_plugin_init_tables_input {
        ss_plugin_init_tables_input {
            list_tables: Some(list_tables),
            get_table: Some(get_table),
            add_table: Some(add_table),
            fields: ss_plugin_table_fields_vtable {
                list_table_fields: Some(list_table_fields),
                get_table_field: Some(table_field),
                add_table_field: Some(table_field),
            },
            fields_ext: ptr::from_ref(&*self.fields).cast_mut(),
            reader_ext: self.reader_ext(),
            writer_ext: ptr::from_ref(&*self.writer).cast_mut(),
        }
    }

    /// What `plugin_extract_fields` gets, in the deprecated shape too.
    pub(crate) fn reader() -> ss_plugin_table_reader_vtable {
        ss_plugin_table_reader_vtable {
            get_table_name: Some(get_table_name),
            get_table_size: Some(get_table_size),
            get_table_entry: Some(get_table_entry),
            read_entry_field: Some(read_entry_field),
        }
    }

    pub(crate) fn reader_ext(&self) -> *mut ss_plugin_table_reader_vtable_ext {
        ptr::from_ref(&*self.reader).cast_mut()
    }
}

/// `get_owner_last_error`: the only error that the owner ever has.
pub(crate) unsafe extern "C-unwind" fn owner_last_error(_: *mut ss_plugin_owner_t) -> *const c_char {
    c"this host has no state tables".as_ptr()
}

unsafe extern "C-unwind" fn list_tables(
    _: *mut ss_plugin_owner_t,
    count: *mut u32,
) -> *mut ss_plugin_table_info {
    // SAFETY: the plugin passes NULL or a place for the count.
    if let Some(count) = unsafe { count.as_mut() } {
        *count = 0;
    }
    ptr::null_mut()
}

unsafe extern "C-unwind" fn get_table(
    _: *mut ss_plugin_owner_t,
    _: *const c_char,
    _: ss_plugin_state_type,
) -> Table {
    ptr::null_mut()
}

unsafe extern "C-unwind" fn add_table(
    _: *mut ss_plugin_owner_t,
    _: *const ss_plugin_table_input,
) -> ss_plugin_rc {
    ss_plugin_rc_SS_PLUGIN_FAILURE
}

unsafe extern "C-unwind" fn list_table_fields(_: Table, count: *mut u32) -> *const ss_plugin_table_fieldinfo {
    // SAFETY: the plugin passes NULL or a place for the count.
    if let Some(count) = unsafe { count.as_mut() } {
        *count = 0;
    }
    ptr::null()
}

unsafe extern "C-unwind" fn table_field(
    _: Table,
    _: *const c_char,
    _: ss_plugin_state_type,
) -> *mut ss_plugin_table_field_t {
    ptr::null_mut()
}

unsafe extern "C-unwind" fn get_table_name(_: Table) -> *const c_char {
    ptr::null()
}

unsafe extern "C-unwind" fn get_table_size(_: Table) -> u64 {
    0
}

unsafe extern "C-unwind" fn get_table_entry(_: Table, _: *const ss_plugin_state_data) -> Entry {
    ptr::null_mut()
}

unsafe extern "C-unwind" fn read_entry_field(
    _: Table,
    _: Entry,
    _: *const ss_plugin_table_field_t,
    _: *mut ss_plugin_state_data,
) -> ss_plugin_rc {
    ss_plugin_rc_SS_PLUGIN_FAILURE
}

unsafe extern "C-unwind" fn drop_entry(_: Table, _: Entry) {}

unsafe extern "C-unwind" fn iterate_entries(
    _: Table,
    _: ss_plugin_table_iterator_func_t,
    _: *mut ss_plugin_table_iterator_state_t,
) -> ss_plugin_bool {
    0
}

unsafe extern "C-unwind" fn clear_table(_: Table) -> ss_plugin_rc {
    ss_plugin_rc_SS_PLUGIN_FAILURE
}

unsafe extern "C-unwind" fn erase_table_entry(_: Table, _: *const ss_plugin_state_data) -> ss_plugin_rc {
    ss_plugin_rc_SS_PLUGIN_FAILURE
}

unsafe extern "C-unwind" fn create_table_entry(_: Table) -> Entry {
    ptr::null_mut()
}

unsafe extern "C-unwind" fn add_table_entry(_: Table, _: *const ss_plugin_state_data, _: Entry) -> Entry {
    ptr::null_mut()
}

unsafe extern "C-unwind" fn write_entry_field(
    _: Table,
    _: Entry,
    _: *const ss_plugin_table_field_t,
    _: *const ss_plugin_state_data,
) -> ss_plugin_rc {
    ss_plugin_rc_SS_PLUGIN_FAILURE
}
