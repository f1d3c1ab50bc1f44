//! An event as a test puts it.

use super::store::{Kept, Stored};
use fe2o3_amqp::types::messaging::{ApplicationProperties, Batch, Body, Data, Message};
use fe2o3_amqp::types::primitives::Binary;
use fe2o3_amqp::types::primitives::SimpleValue;

/// An event to put into a hub.
#[derive(Clone, Debug)]
pub struct Event {
    pub(crate) partition_key: Option<String>,
    pub(crate) enqueued_ms: Option<i64>,
    pub(crate) message: Kept,
}

impl Event {
    /// An event with this body.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { partition_key: None, enqueued_ms: None, message: data(body.into()) }
    }

    /// With a partition key.
    #[must_use]
    pub fn partition_key(mut self, key: impl Into<String>) -> Self {
        self.partition_key = Some(key.into());
        self
    }

    /// With an application property.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let properties =
            self.message.application_properties.get_or_insert_with(ApplicationProperties::default);
        properties.0.insert(name.into(), SimpleValue::String(value.into()));
        self
    }

    /// Enqueued then, in milliseconds since 1970, instead of now; no earlier than the event before.
    #[must_use]
    pub fn enqueued_ms(mut self, ms: i64) -> Self {
        self.enqueued_ms = Some(ms);
        self
    }

    pub(crate) fn into_stored(self, now_ms: i64) -> Stored {
        let enqueued_ms = self.enqueued_ms.unwrap_or(now_ms);
        Stored { enqueued_ms, partition_key: self.partition_key, message: self.message }
    }
}

/// A message that is nothing but a body.
pub(crate) fn data(body: Vec<u8>) -> Kept {
    Message {
        header: None,
        delivery_annotations: None,
        message_annotations: None,
        properties: None,
        application_properties: None,
        body: Body::Data(Batch::new(vec![Data(Binary::from(body))])),
        footer: None,
    }
}

/// Bytes of a message's body.
pub(crate) fn body_bytes(message: &Kept) -> usize {
    match &message.body {
        Body::Data(sections) => sections.iter().map(|section| section.0.len()).sum(),
        Body::Value(_) | Body::Sequence(_) | Body::Empty => 0,
    }
}
