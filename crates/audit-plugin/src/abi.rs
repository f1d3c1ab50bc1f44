//! The C ABI of a plugin: the `plugin_*` symbols, and all `unsafe` of this crate.
//!
//! # Why not the SDK's wrappers
//!
//! The structs come from `falco_plugin_api`, the bindings of the Falco project's Rust SDK (`falco_plugin`) of the
//! same version. The functions over them are our own, since the SDK's wrappers (0.5.1) hold the plugin as `&mut`
//! in every call, which the metrics thread contradicts, let a panic through, drop the values of all but the last
//! field of a call, show the outermost error alone, and leave a logger behind; each of these is a test in
//! `tests/abi.rs`.
//!
//! # How
//!
//! | rule | where |
//! |---|---|
//! | no panic leaves | every function here guards a call of safe code with `catch_unwind` |
//! | the host's pointers are looked at in one place | [`base`], [`source`], [`extract`]; the code behind them is safe |
//! | a plugin is shared, never borrowed for writing | `State` is only ever `&State`; an opening is the host's thread's own |

#![allow(unsafe_code, reason = "the host speaks C")]

pub mod base;
pub(crate) mod event;
pub mod extract;
pub mod source;
pub(crate) mod turn;

use std::panic::{AssertUnwindSafe, catch_unwind};

use event_source::{SourceError, chain};

pub use falco_plugin_api as api;

use crate::state::panicked;

/// Makes a plugin of a [`Provider`](crate::Provider): defines the `plugin_*` symbols of this library.
///
/// Once per library, of `crate-type = ["cdylib"]`.
/// The crate needs no dependency on any of the host's crates, and no `unsafe` of its own.
///
/// # Staying mapped
///
/// The host calls `dlclose` after `plugin_destroy`. Every thread is joined and the log is switched off by then; but
/// the destructor of a thread-local, or a thread that ignored its deadline, would run in memory that is gone. So
/// the `build.rs` of a provider keeps the library mapped. That costs nothing: a host that unloads a plugin is
/// about to exit.
///
/// ```no_run
/// println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
/// ```
///
/// # Left out
///
/// `plugin_list_open_params`, `plugin_get_progress` and `plugin_set_config`: all are optional, and a source of this
/// kind has nothing to say there.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        // An own scope, so that nothing but the symbols leaves.
        const _: () = {
            assert!(
                <$plugin as $crate::Plugin>::READS_EVENTS,
                "a plugin that reads no events is exported by `export_extractor!`"
            );
            $crate::export_plugin! { @every $plugin }
            $crate::export_plugin! { @source $plugin }
            $crate::export_plugin! { @extraction $plugin }
        };
    };
    (@every $plugin:ty) => {
        $crate::export_plugin! {
            @symbols
            plugin_get_required_api_version() -> *const ::core::ffi::c_char => base::required_api_version();
            plugin_get_name() -> *const ::core::ffi::c_char => base::name::<$plugin>();
            plugin_get_version() -> *const ::core::ffi::c_char => base::version::<$plugin>();
            plugin_get_description() -> *const ::core::ffi::c_char => base::description::<$plugin>();
            plugin_get_contact() -> *const ::core::ffi::c_char => base::contact::<$plugin>();
            plugin_get_init_schema(kind: *mut $crate::abi::api::ss_plugin_schema_type)
                -> *const ::core::ffi::c_char => base::init_schema::<$plugin>(&SCHEMA, kind);
            plugin_init(
                input: *const $crate::abi::api::ss_plugin_init_input,
                rc: *mut $crate::abi::api::ss_plugin_rc
            ) -> *mut $crate::abi::api::ss_plugin_t => base::init::<$plugin>(input, rc, CRATE);
            plugin_destroy(plugin: *mut $crate::abi::api::ss_plugin_t) -> ()
                => base::destroy::<$plugin>(plugin);
            plugin_get_last_error(plugin: *mut $crate::abi::api::ss_plugin_t) -> *const ::core::ffi::c_char
                => base::last_error::<$plugin>(plugin);
            plugin_get_metrics(plugin: *mut $crate::abi::api::ss_plugin_t, count: *mut u32)
                -> *mut $crate::abi::api::ss_plugin_metric => base::metrics::<$plugin>(plugin, count);
        }

        // A text that is rendered once and lives as long as the library.
        static SCHEMA: $crate::abi::base::Text = $crate::abi::base::Text::new();
        // The target of the plugin's log lines starts with its crate.
        const CRATE: &str = module_path!();
    };
    (@source $plugin:ty) => {
        $crate::export_plugin! {
            @symbols
            plugin_get_id() -> u32 => source::id::<$plugin>();
            plugin_get_event_source() -> *const ::core::ffi::c_char => source::event_source::<$plugin>();
            plugin_open(
                plugin: *mut $crate::abi::api::ss_plugin_t,
                parameters: *const ::core::ffi::c_char,
                rc: *mut $crate::abi::api::ss_plugin_rc
            ) -> *mut $crate::abi::api::ss_instance_t => source::open::<$plugin>(plugin, parameters, rc);
            plugin_close(
                plugin: *mut $crate::abi::api::ss_plugin_t,
                instance: *mut $crate::abi::api::ss_instance_t
            ) -> () => source::close::<$plugin>(plugin, instance);
            plugin_next_batch(
                plugin: *mut $crate::abi::api::ss_plugin_t,
                instance: *mut $crate::abi::api::ss_instance_t,
                count: *mut u32,
                events: *mut *mut *mut $crate::abi::api::ss_plugin_event
            ) -> $crate::abi::api::ss_plugin_rc
                => source::next_batch::<$plugin>(plugin, instance, count, events);
            plugin_event_to_string(
                plugin: *mut $crate::abi::api::ss_plugin_t,
                event: *const $crate::abi::api::ss_plugin_event_input
            ) -> *const ::core::ffi::c_char => source::event_to_string::<$plugin>(plugin, event);
        }
    };
    (@extraction $plugin:ty) => {
        $crate::export_plugin! {
            @symbols
            plugin_get_extract_event_sources() -> *const ::core::ffi::c_char
                => extract::event_sources::<$plugin>();
            plugin_get_extract_event_types(count: *mut u32, plugin: *mut $crate::abi::api::ss_plugin_t)
                -> *mut u16 => extract::event_types(count, plugin);
            plugin_get_fields() -> *const ::core::ffi::c_char => extract::fields::<$plugin>(&FIELDS);
            plugin_extract_fields(
                plugin: *mut $crate::abi::api::ss_plugin_t,
                event: *const $crate::abi::api::ss_plugin_event_input,
                input: *const $crate::abi::api::ss_plugin_field_extract_input
            ) -> $crate::abi::api::ss_plugin_rc => extract::extract_fields::<$plugin>(plugin, event, input);
        }

        // As SCHEMA.
        static FIELDS: $crate::abi::base::Text = $crate::abi::base::Text::new();
    };
    (@symbols $(
        $symbol:ident($($argument:ident: $type:ty),*) -> $return:ty
            => $module:ident::$function:ident$(::<$generic:ty>)?($($value:expr),*);
    )*) => {
        $(
            #[allow(unsafe_code)]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $symbol($($argument: $type),*) -> $return {
                // SAFETY: the caller is the host, and what it promises is what the function asks for.
                #[allow(unused_unsafe)]
                unsafe { $crate::abi::$module::$function$(::<$generic>)?($($value),*) }
            }
        )*
    };
}

/// Makes a plugin of a [`Plugin`](crate::Plugin) that reads no events, and only extracts fields from those of others.
///
/// As [`export_plugin!`](crate::export_plugin!), but without the symbols of a source of events: the host takes a
/// plugin for what its symbols say. Such a plugin has no id.
#[macro_export]
macro_rules! export_extractor {
    ($plugin:ty) => {
        const _: () = {
            assert!(
                !<$plugin as $crate::Plugin>::READS_EVENTS,
                "say `const READS_EVENTS: bool = false;`, or export the plugin by `export_plugin!`"
            );
            $crate::export_plugin! { @every $plugin }
            $crate::export_plugin! { @extraction $plugin }
        };
    };
}

/// Runs safe or unsafe code of ours so that a panic in it becomes an error text, and never leaves.
fn guard<T>(during: &str, work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let error: SourceError = panicked(during, panic.as_ref());
        // What a panic carries may panic again when it is dropped.
        std::mem::forget(panic);
        chain(&error)
    })
}
