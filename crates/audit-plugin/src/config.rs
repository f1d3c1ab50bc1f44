//! What a plugin is configured with: the vocabulary that all plugins share, and how `init_config` is read.
//!
//! It owns the text on its way from the host to a plugin's typed configuration (empty text, other spellings,
//! environment variables, unknown keys, wrong types) and the JSON schema that the host checks before that.
//! It does not own what a plugin's own keys mean.

mod common_config;
mod environment;
mod load;
mod schema;
mod seconds;

pub use common_config::{CommonConfig, LogLevel};
pub use load::{Loaded, load};
pub use schema::schema;
pub use seconds::Seconds;

use event_source::Secret;
use serde::{Deserialize, Deserializer};

/// Spellings that every plugin understands besides the key itself: `(other spelling, key)`.
///
/// A plugin adds its own in [`Plugin::ALIASES`](crate::Plugin::ALIASES).
pub const ALIASES: &[(&str, &str)] = &[("maxEventSize", "max_event_size")];

/// Reads a string into a [`Secret`], for `#[serde(deserialize_with = "audit_plugin::config::secret")]`.
///
/// The field's schema is that of a string: `#[schemars(with = "Option<String>")]`.
///
/// # Errors
/// When the value is neither a string nor null.
pub fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}
