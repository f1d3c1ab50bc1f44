//! What this plugin counts beside what every source, every hub and every intake of audit events counts.

event_source::metrics! {
    /// Records on their way from message to event.
    pub(crate) struct AksMetrics {
        counter records: "Records in the messages of the hub.",
        counter records_of_other_categories: "Records of categories that `categories` does not name; they are skipped.",
        counter records_mended: "Records that were not JSON, and were mended so that nothing is missing.",
        counter duplicates_dropped: "Events that had come before with the same identity, and were dropped.",
        counter records_held_back: "Records that had to wait for the rate limit.",
        gauge records_waiting: "Records that wait for the rate limit at the moment.",
    }
}
