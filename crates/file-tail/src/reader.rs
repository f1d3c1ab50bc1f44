//! [`Reader`]: the thread on which files are read.
//!
//! Reading blocks, on a slow disk or a pipe, and the pump's runtime has one thread, which must go on to take
//! acknowledgements and to write checkpoints. A thread with a bounded channel and not a blocking task for each read:
//! so reading and inflating go on while the consumer works, what is under way is not lost when the pump drops the
//! future of `next_batch`, and the state of reading has one owner.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::outbox::Stopped;
use crate::stop::Stop;

/// The reader's thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// How long it may take to end: a system call that is under way cannot be interrupted.
    const PATIENCE: Duration = Duration::from_secs(2);
    const LOOK: Duration = Duration::from_millis(2);

    /// Runs `work` until it ends by itself or is stopped.
    pub(crate) fn start(
        stop: Arc<Stop>,
        work: impl FnOnce() -> Result<(), Stopped> + Send + 'static,
    ) -> io::Result<Self> {
        // Whether it was stopped is known to whoever stopped it.
        let thread = std::thread::Builder::new().name("file-tail".to_owned()).spawn(move || {
            let _ = work();
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Tells it to end, and waits for that.
    pub(crate) async fn end(&mut self) {
        self.stop.stop();
        let deadline = Instant::now() + Self::PATIENCE;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < deadline {
            tokio::time::sleep(Self::LOOK).await;
        }
        self.join();
    }

    fn join(&mut self) {
        match self.thread.take() {
            Some(thread) if thread.is_finished() => {
                // A panic was told by the panic hook, and ends the source as a missing end of its messages.
                let _ = thread.join();
            }
            Some(_) => {
                log::error!("a file system does not answer: the thread that reads from it ends when it does")
            }
            None => {}
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.stop();
        let deadline = Instant::now() + Self::PATIENCE;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(Self::LOOK);
        }
        self.join();
    }
}
