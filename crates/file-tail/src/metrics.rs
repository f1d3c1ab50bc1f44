//! What is counted of files, beside what every source counts.

event_source::metrics! {
    /// What all files of a plugin count together.
    pub struct FileMetrics {
        counter records_read: "Lines and documents read from files.",
        counter bytes_read: "Bytes read from files, after decompression.",
        counter files_opened: "Files that were opened to be read.",
        counter files_damaged: "Files of which a part could not be read: damaged, or an error of the file system.",
        counter records_cut: "Lines and documents that were longer than the bound, and were handed over without their end.",
        counter bytes_cut: "Bytes that were left out of lines and documents because of the bound.",
        counter lines_unfinished: "Lines that were handed over without a line feed: nothing was written behind them any more.",
        counter rotations: "Followed files that were left for a newer one.",
        counter truncations: "Followed files that were truncated.",
        counter files_lost: "Followed files that were gone or truncated before it was known that they were read to their end.",
        counter bytes_missing: "Bytes of followed files that were seen, and truncated before they could be read.",
        gauge bytes_behind: "Bytes of the followed file, at the last look, that were not read yet.",
    }
}
