//! [`Pipe`]: standard input, a pipe or a socket, read so that the reader can be stopped while nothing comes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::stop::Stop;

/// Something that may give nothing for a long time.
pub(crate) struct Pipe {
    file: File,
    stop: Arc<Stop>,
}

impl Pipe {
    /// How long it takes at most to hear of the end: a tenth of what a consumer waits for.
    const LISTEN: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

    pub(crate) const fn new(file: File, stop: Arc<Stop>) -> Self {
        Self { file, stop }
    }

    /// Standard input, without the buffer of the standard library.
    pub(crate) fn stdin(stop: Arc<Stop>) -> io::Result<Self> {
        Ok(Self::new(io::stdin().as_fd().try_clone_to_owned()?.into(), stop))
    }
}

impl Read for Pipe {
    /// Waits until there is something; when it is stopped meanwhile, that is the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.stop.is_stopped() {
            let ready = match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&Self::LISTEN)) {
                Err(rustix::io::Errno::INTR) => continue,
                ready => ready?,
            };
            if ready == 0 {
                continue;
            }
            match self.file.read(buffer) {
                // A pipe that is open for several readers: another one was faster.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
        Ok(0)
    }
}
