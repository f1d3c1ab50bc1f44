//! [`Prepared`]: requests that are asked of event after event, at no cost but the plugin's own.
//!
//! Owns: the structures of the calls, made once. Does not own: what comes back. That is counted and not
//! looked at; [`Plugin::extract_one`] copies it.

use std::ffi::CString;
use std::fmt;
use std::ptr;

use falco_plugin_api::{
    ss_plugin_event_input, ss_plugin_extract_field, ss_plugin_field_extract_input, ss_plugin_rc,
    ss_plugin_rc_SS_PLUGIN_SUCCESS, ss_plugin_t,
};

use crate::tables::{Tables, owner_last_error};
use crate::{Error, Event, Plugin, Request, extract};

type ExtractFields = unsafe extern "C-unwind" fn(
    *mut ss_plugin_t,
    *const ss_plugin_event_input,
    *const ss_plugin_field_extract_input,
) -> ss_plugin_rc;

/// Requests as the plugin takes them, to be asked of any number of events.
///
/// A call costs what the plugin costs and a few stores: nothing is allocated, looked up or copied.
pub struct Prepared<'p> {
    plugin: &'p Plugin,
    extract_fields: ExtractFields,
    fields: Vec<ss_plugin_extract_field>,
    input: ss_plugin_field_extract_input,
    /// What `fields` points to.
    _names: Vec<(CString, Option<CString>)>,
}

impl Plugin {
    /// Makes `requests` ready to be asked again and again; none at all is a call for nothing.
    ///
    /// # Errors
    /// When the plugin extracts no fields.
    pub fn prepare(&self, requests: &[Request]) -> Result<Prepared<'_>, Error> {
        let instance = self.instance();
        let Some(extract_fields) = instance.api().__bindgen_anon_2.extract_fields else {
            let plugin = instance.loaded.name().to_owned();
            return Err(Error::NotCapable { plugin, capability: "field extraction" });
        };
        let requests = requests.to_vec();
        // The addresses of the texts stay when their owners are moved.
        let fields = requests.iter().map(extract::field).collect();
        let _names = requests.into_iter().map(|request| (request.name, request.key)).collect();
        let input = ss_plugin_field_extract_input {
            owner: instance.owner(),
            get_owner_last_error: Some(owner_last_error),
            num_fields: 0,
            fields: ptr::null_mut(),
            table_reader: Tables::reader(),
            table_reader_ext: instance.tables().reader_ext(),
            value_offsets: ptr::null_mut(),
        };
        Ok(Prepared { plugin: self, extract_fields, fields, input, _names })
    }
}

impl Prepared<'_> {
    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Asks for each field in a call of its own, as Falco does; how many values came.
    ///
    /// # Errors
    /// The plugin's own words.
    pub fn ask_each(&mut self, event: &Event<'_>) -> Result<u64, Error> {
        let event = event.input();
        self.input.num_fields = 1;
        let mut values = 0;
        for field in &mut self.fields {
            field.res_len = 0;
            self.input.fields = field;
            // SAFETY: state, event and field live for the call; no other call overlaps, since a plugin is not
            // shared between threads.
            let rc = unsafe { (self.extract_fields)(self.plugin.instance().state(), &event, &self.input) };
            if rc != ss_plugin_rc_SS_PLUGIN_SUCCESS {
                return Err(Error::Extract(self.plugin.last_error()));
            }
            values += field.res_len;
        }
        Ok(values)
    }

    /// Asks for all fields in one call, which Falco never does; how many values came. Without any field this is
    /// what a call costs by itself.
    ///
    /// # Errors
    /// The plugin's own words.
    pub fn ask_together(&mut self, event: &Event<'_>) -> Result<u64, Error> {
        let event = event.input();
        self.input.num_fields =
            u32::try_from(self.fields.len()).map_err(|_| Error::Extract("too many fields".to_owned()))?;
        self.input.fields = self.fields.as_mut_ptr();
        // SAFETY: as in `ask_each`.
        let rc = unsafe { (self.extract_fields)(self.plugin.instance().state(), &event, &self.input) };
        if rc != ss_plugin_rc_SS_PLUGIN_SUCCESS {
            return Err(Error::Extract(self.plugin.last_error()));
        }
        Ok(self.fields.iter().map(|field| field.res_len).sum())
    }
}

impl fmt::Debug for Prepared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("fields", &self.fields.len()).finish_non_exhaustive()
    }
}
