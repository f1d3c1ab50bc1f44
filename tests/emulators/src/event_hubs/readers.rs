//! Who reads which partition: owner levels, and how many may.
//!
//! Owns: the rules by which a reader is let in or displaced. Does not own: links.

use super::error::{LinkError, STOLEN};
use tokio::sync::mpsc;

/// One attached reader.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) number: u64,
    pub(crate) connection: u64,
    pub(crate) hub: String,
    pub(crate) group: String,
    pub(crate) partition: u32,
    pub(crate) epoch: Option<i64>,
    pub(crate) name: String,
    /// Detaches it with the error.
    pub(crate) detach: mpsc::UnboundedSender<LinkError>,
}

/// All attached readers.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    pub(crate) all: Vec<Reader>,
}

/// How many readers without an owner level a partition has room for, in each group.
const WITHOUT_EPOCH: usize = 5;

impl Readers {
    /// Lets a reader in, displacing others, or says why not.
    pub(crate) fn attach(&mut self, reader: Reader) -> Result<(), LinkError> {
        let same = |other: &&Reader| {
            other.hub == reader.hub && other.group == reader.group && other.partition == reader.partition
        };
        let highest = self.all.iter().filter(same).filter_map(|other| other.epoch).max();
        match (reader.epoch, highest) {
            (None, Some(highest)) => {
                return Err(LinkError::new(
                    STOLEN,
                    format!(
                        "At least one receiver for the endpoint is created with epoch of '{highest}', and so \
                         non-epoch receiver is not allowed. Either reconnect with a higher epoch, or make \
                         sure all epoch receivers are closed or disconnected."
                    ),
                ));
            }
            (None, None) if self.all.iter().filter(same).count() >= WITHOUT_EPOCH => {
                return Err(LinkError::new(
                    "amqp:resource-limit-exceeded",
                    format!(
                        "Exceeded the maximum number of allowed receivers per partition in a consumer group \
                         which is {WITHOUT_EPOCH}."
                    ),
                ));
            }
            (Some(epoch), Some(highest)) if epoch < highest => {
                return Err(LinkError::new(
                    STOLEN,
                    format!(
                        "Receiver '{}' with a higher epoch of '{highest}' already exists. Receiver '{}' with \
                         epoch {epoch} cannot be created. Make sure you are creating receiver with \
                         increasing epoch value to ensure connectivity, or ensure all old epoch receivers \
                         are closed or disconnected.",
                        self.all.iter().filter(same).map(|it| it.name.as_str()).next().unwrap_or("nil"),
                        reader.name,
                    ),
                ));
            }
            _ => {}
        }
        if let Some(epoch) = reader.epoch {
            let displaced: Vec<u64> = self.all.iter().filter(same).map(|other| other.number).collect();
            for number in displaced {
                let Some(at) = self.all.iter().position(|other| other.number == number) else { continue };
                let other = self.all.swap_remove(at);
                let error = stolen(&reader.name, epoch, &other);
                // The link may be ending by itself.
                let _ = other.detach.send(error);
            }
        }
        self.all.push(reader);
        Ok(())
    }

    pub(crate) fn detach(&mut self, number: u64) {
        self.all.retain(|reader| reader.number != number);
    }

    /// The readers of a partition id, or all.
    pub(crate) fn of<'a>(&'a self, partition: Option<&'a str>) -> impl Iterator<Item = &'a Reader> {
        self.all.iter().filter(move |reader| partition.is_none_or(|id| id == reader.partition.to_string()))
    }
}

/// What a displaced reader is told.
pub(crate) fn stolen(by: &str, epoch: i64, other: &Reader) -> LinkError {
    let own = other.epoch.map_or_else(|| "none".to_owned(), |own| own.to_string());
    LinkError::new(
        STOLEN,
        format!(
            "New receiver '{by}' with higher epoch of '{epoch}' is created hence current receiver '{}' with \
             epoch '{own}' is getting disconnected. If you are recreating the receiver, make sure a higher \
             epoch is used.",
            other.name
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach(readers: &mut Readers, number: u64, epoch: Option<i64>) -> Result<(), LinkError> {
        let (detach, _) = mpsc::unbounded_channel();
        let (hub, group, name) = ("hub".into(), "$default".into(), "nil".into());
        readers.attach(Reader { number, connection: 1, hub, group, partition: 0, epoch, name, detach })
    }

    #[test]
    fn owner_levels() {
        let mut readers = Readers::default();
        let numbers = |readers: &Readers| readers.all.iter().map(|it| it.number).collect::<Vec<_>>();
        for number in 0..5 {
            attach(&mut readers, number, None).unwrap();
        }
        assert_eq!(attach(&mut readers, 5, None).unwrap_err().condition, "amqp:resource-limit-exceeded");
        attach(&mut readers, 6, Some(0)).unwrap();
        assert_eq!(numbers(&readers), [6]);
        attach(&mut readers, 7, Some(0)).unwrap();
        assert_eq!(numbers(&readers), [7]);
        attach(&mut readers, 8, Some(3)).unwrap();
        assert_eq!(attach(&mut readers, 9, Some(2)).unwrap_err().condition, STOLEN);
        assert_eq!(attach(&mut readers, 10, None).unwrap_err().condition, STOLEN);
        assert_eq!(numbers(&readers), [8]);
        readers.detach(8);
        attach(&mut readers, 11, None).unwrap();
    }
}
