//! Other programs: found, run to their end with their lines looked at, or ended politely.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// The program `name` on the `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| is_program(path))
}

/// Whether a file is there that may be run.
pub fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Whether this process may install, mount and chroot: its effective user id is 0.
pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    ids.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

/// A program that says nothing for that long hangs: the slowest thing here is a release build on one core.
const SILENCE: Duration = Duration::from_secs(30 * 60);
/// Between the end of a program's outputs and its own.
const END: Duration = Duration::from_secs(10);

/// Runs a command to its end and hands every line of its output and errors, as it comes, to `line`.
///
/// # Errors
/// When it cannot be started, or hangs; then it is killed.
pub fn lines(command: &mut Command, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut running = Running::start(command)?;
    while let Some(text) = running.next_line(Instant::now() + SILENCE) {
        line(&text);
    }
    running.wait(END)
}

/// [`lines`] of a command that must succeed.
///
/// # Errors
/// As for [`lines`], and the last line that says something when it does not succeed.
pub fn checked(command: &mut Command, mut line: impl FnMut(&str)) -> Result<()> {
    let mut last = String::new();
    let status = lines(command, |text| {
        if !text.trim().is_empty() {
            text.clone_into(&mut last);
        }
        line(text);
    })?;
    ensure!(status.success(), "{last}");
    Ok(())
}

/// A program that runs, and its lines so far.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts a command; both its outputs become lines.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run `{name}`"))?;
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            read_lines(output, sender.clone());
        }
        if let Some(errors) = child.stderr.take() {
            read_lines(errors, sender);
        }
        Ok(Self { child, lines })
    }

    /// The next line; `None` at the end of both outputs, or at the deadline.
    pub fn next_line(&mut self, deadline: Instant) -> Option<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).ok()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs after `patience`; then it is killed.
    pub fn wait(mut self, patience: Duration) -> Result<ExitStatus> {
        ensure!(self.ends_within(patience), "it hangs, and was killed");
        Ok(self.child.wait()?)
    }

    /// Asks it to end as ^C does, gives it `patience`, and then ends it.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn interrupt(&mut self, patience: Duration) -> Result<ExitStatus> {
        // The standard library sends no signal but SIGKILL, and `kill` is built into every shell.
        let pid = self.child.id().to_string();
        Command::new("sh").args(["-c", "kill -INT \"$0\"", &pid]).stderr(Stdio::null()).status()?;
        if !self.ends_within(patience) {
            self.child.kill()?;
        }
        Ok(self.child.wait()?)
    }

    fn ends_within(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_running() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        !self.is_running()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn read_lines(output: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line);
            if sender.send(text.trim_end_matches(['\n', '\r']).to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        // Where SIGINT was ignored from the start, as by `nohup`, no shell could trap it.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", "sh", "-c", script]);
        command
    }

    #[test]
    fn both_outputs_are_read_to_their_end() {
        let mut seen = Vec::new();
        let status =
            lines(&mut sh("echo one; echo two >&2; exit 3"), |line| seen.push(line.to_owned())).unwrap();
        seen.sort();
        assert_eq!((seen, status.code()), (vec!["one".to_owned(), "two".to_owned()], Some(3)));
    }

    #[test]
    fn what_hangs_is_killed() {
        let mut running = Running::start(&mut sh("exec >&- 2>&-; while :; do :; done")).unwrap();
        assert_eq!(running.next_line(Instant::now() + Duration::from_secs(20)), None);
        let pid = running.child.id();
        assert!(running.wait(Duration::from_millis(50)).unwrap_err().to_string().contains("hangs"));
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn the_reason_of_a_failure_is_the_last_line_that_says_something() {
        assert!(checked(&mut sh("echo fine"), |_| {}).is_ok());
        let why = checked(&mut sh("echo first; echo reason; echo; exit 1"), |_| {}).unwrap_err();
        assert_eq!(why.to_string(), "reason");
    }

    #[test]
    fn an_interrupt_is_sigint_and_then_the_end() {
        let deadline = || Instant::now() + Duration::from_secs(20);
        let mut polite =
            Running::start(&mut sh("trap 'echo bye; exit 4' INT; echo up; while :; do :; done")).unwrap();
        assert_eq!(polite.next_line(deadline()).as_deref(), Some("up"));
        assert_eq!(polite.interrupt(Duration::from_secs(20)).unwrap().code(), Some(4));
        let mut deaf = Running::start(&mut sh("trap '' INT; echo up; while :; do :; done")).unwrap();
        assert_eq!(deaf.next_line(deadline()).as_deref(), Some("up"));
        assert_eq!(deaf.interrupt(Duration::from_millis(50)).unwrap().code(), None);
    }
}
