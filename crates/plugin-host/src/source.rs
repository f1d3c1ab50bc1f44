//! An open event source: batches, as libscap's `source_plugin` engine asks for them.

use std::ffi::CString;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::time::{SystemTime, UNIX_EPOCH};

use falco_plugin_api::{
    ss_instance_t, ss_plugin_event, ss_plugin_rc, ss_plugin_rc_SS_PLUGIN_EOF as EOF,
    ss_plugin_rc_SS_PLUGIN_FAILURE as FAILURE, ss_plugin_rc_SS_PLUGIN_SUCCESS as SUCCESS,
    ss_plugin_rc_SS_PLUGIN_TIMEOUT as TIMEOUT,
};

use crate::{Error, Event, Plugin};

/// An open event source; dropping it is `plugin_close`.
///
/// While it is open, fields can be extracted through the [`Plugin`] that it borrows.
pub struct Source<'p> {
    plugin: &'p Plugin,
    handle: *mut ss_instance_t,
    evaluated: u64,
    pending: Option<Pending>,
}

/// What one call to `plugin_next_batch` gave.
#[derive(Debug)]
pub enum Batch<'s> {
    /// At least one event.
    Events(Events<'s>),
    /// Nothing yet: ask again at once.
    Timeout,
    /// The end.
    Eof,
    /// The end, with an error: Falco would exit with these words.
    Failure(String),
}

/// The events of one batch, in order.
#[derive(Debug)]
pub struct Events<'s> {
    events: std::vec::IntoIter<Event<'s>>,
    // Events live until the source is asked again, which needs it mutably.
    source: PhantomData<&'s mut ()>,
}

/// How a batch ended that had events too: told at the next call.
enum Pending {
    Code(ss_plugin_rc),
    Malformed(String),
}

impl<'p> Source<'p> {
    pub(crate) fn open(plugin: &'p Plugin, params: &str) -> Result<Self, Error> {
        let loaded = &plugin.instance().loaded;
        let api = &loaded.symbols.api().__bindgen_anon_1;
        let (true, Some(open)) = (loaded.symbols.sources(), api.open) else {
            let plugin = loaded.name().to_owned();
            return Err(Error::NotCapable { plugin, capability: "event sourcing" });
        };
        let params =
            CString::new(params).map_err(|_| Error::Open("open params contain a NUL byte".to_owned()))?;
        // A plugin that sets no code has failed.
        let mut rc = FAILURE;
        // SAFETY: the state is live, and the parameters live for the call.
        let handle = unsafe { open(plugin.instance().state(), params.as_ptr(), &mut rc) };
        // Built before the code is looked at: libscap closes an engine whose open failed,
        // with whatever handle it got.
        let source = Self { plugin, handle, evaluated: 0, pending: None };
        if rc != SUCCESS {
            return Err(Error::Open(plugin.last_error()));
        }
        Ok(source)
    }

    /// The next batch; the plugin may block for as long as it likes, 100 ms being polite.
    ///
    /// Entering this call tells the plugin that the events of the batch before were
    /// evaluated.
    pub fn next_batch(&mut self) -> Batch<'_> {
        match self.pending.take() {
            Some(Pending::Code(rc)) => return self.ending(rc),
            Some(Pending::Malformed(why)) => return Batch::Failure(why),
            None => {}
        }
        let instance = self.plugin.instance();
        let Some(next_batch) = instance.api().__bindgen_anon_1.next_batch else {
            return Batch::Failure("the plugin has no next_batch".to_owned());
        };
        let (mut count, mut first): (u32, *mut *mut ss_plugin_event) = (0, ptr::null_mut());
        // SAFETY: state and handle are live, and no event of the batch before is borrowed any
        // more, since `self` is borrowed mutably.
        let rc = unsafe { next_batch(instance.state(), self.handle, &mut count, &mut first) };
        if count == 0 || first.is_null() {
            return if rc == SUCCESS {
                Batch::Failure("unexpected 0 size event returned by the plugin".to_owned())
            } else {
                self.ending(rc)
            };
        }
        if rc != SUCCESS {
            self.pending = Some(Pending::Code(rc));
        }
        // SAFETY: the plugin API says that `count` pointers are there until the next call.
        let pointers = unsafe { std::slice::from_raw_parts(first, count as usize) };
        let mut events = Vec::with_capacity(pointers.len());
        for &pointer in pointers {
            let number = self.evaluated + 1;
            let loaded = &instance.loaded;
            // SAFETY: each pointer is an event that stays until the next call.
            match unsafe { Event::adopt(pointer, loaded.id(), number, loaded.event_source(), now) } {
                Ok(event) => events.push(event),
                Err(why) => {
                    self.pending = Some(Pending::Malformed(why));
                    break;
                }
            }
            self.evaluated = number;
        }
        if events.is_empty() {
            return self.next_batch();
        }
        Batch::Events(Events { events: events.into_iter(), source: PhantomData })
    }

    /// The plugin whose source this is.
    pub fn plugin(&self) -> &'p Plugin {
        self.plugin
    }

    /// `plugin_close`, by name.
    pub fn close(self) {}

    fn ending(&self, rc: ss_plugin_rc) -> Batch<'_> {
        match rc {
            TIMEOUT => Batch::Timeout,
            EOF => Batch::Eof,
            _ => Batch::Failure(self.plugin.last_error()),
        }
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("evaluated", &self.evaluated).finish_non_exhaustive()
    }
}

impl Drop for Source<'_> {
    fn drop(&mut self) {
        let instance = self.plugin.instance();
        if let Some(close) = instance.api().__bindgen_anon_1.close {
            // SAFETY: the handle came from open and is closed once; no event is borrowed.
            unsafe { close(instance.state(), self.handle) };
        }
    }
}

impl<'s> Iterator for Events<'s> {
    type Item = Event<'s>;

    fn next(&mut self) -> Option<Event<'s>> {
        self.events.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.events.size_hint()
    }
}

impl ExactSizeIterator for Events<'_> {}

/// Nanoseconds since the Unix epoch.
fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}
