//! [`LocalThread`]: a thread for tasks that cannot leave it. The SDK's streams are bound to theirs.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

type Task = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A thread that runs tasks side by side; its end is waited for.
#[derive(Debug)]
pub(crate) struct LocalThread {
    /// `None`: closing.
    tasks: Option<UnboundedSender<Task>>,
    thread: Option<JoinHandle<()>>,
}

/// How long a host name that is being resolved can hold the thread up.
const END: Duration = Duration::from_millis(500);

impl LocalThread {
    pub(crate) fn start(name: &str) -> io::Result<Self> {
        let (tasks, mut received) = unbounded_channel::<Task>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let local = LocalSet::new();
            local.block_on(&runtime, async {
                while let Some(task) = received.recv().await {
                    tokio::task::spawn_local(task());
                }
            });
            // Whatever still runs is dropped where it stands.
            drop(local);
            runtime.shutdown_timeout(END);
        })?;
        Ok(Self { tasks: Some(tasks), thread: Some(thread) })
    }

    /// Runs `task` until it ends, or the thread does.
    pub(crate) fn spawn<F, T>(&self, task: F)
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = ()> + 'static,
    {
        if let Some(tasks) = &self.tasks {
            // A thread that has ended by itself has panicked; whoever waits for the task sees its channel closed.
            let _ = tasks.send(Box::new(move || Box::pin(task())));
        }
    }
}

impl Drop for LocalThread {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn tasks_end_with_the_thread() {
        struct Told(mpsc::Sender<&'static str>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.send("dropped");
            }
        }
        let (sender, receiver) = mpsc::channel();
        let thread = LocalThread::start("test").expect("thread");
        thread.spawn(move || async move {
            let told = Rc::new(Told(sender.clone()));
            let _ = sender.send("running");
            std::future::pending::<()>().await;
            drop(told);
        });
        assert_eq!(receiver.recv(), Ok("running"));
        drop(thread);
        assert_eq!(receiver.recv(), Ok("dropped"));
    }
}
