//! sysdig: a host made of the same libraries as Falco, which Debian's testing suite carries.
//!
//! Owns: a Debian folder with sysdig in it, made once with debootstrap and kept under the
//! target folder, and the command that runs a plugin in it. Does not own: when that is
//! worth doing, and what the lines mean.
//!
//! The folder is entered with chroot, so the network is the caller's and loopback works.
//! `/proc` is mounted in a mount namespace of each run's own: nothing stays mounted in the
//! target folder, where `cargo clean` would walk into it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::apt;
use crate::process::{self, checked};
use crate::workspace::Workspace;

/// Suites that carry sysdig, the preferred one first.
const SUITES: [&str; 2] = ["testing", "unstable"];
/// What is installed beyond the minimum; the certificates because a TLS client may want roots
/// even for a plain address.
const PACKAGES: [&str; 2] = ["sysdig", "ca-certificates"];
/// Inside the folder: written once it is complete, with the packages that it was made with.
const COMPLETE: &str = ".sysdig-complete";
/// Inside the folder: where plugins are put.
const PLUGINS: &str = "plug";
/// What a run in the folder does first; the folder is `$0`.
const ENTER: &str = r#"mount -t proc proc "$0/proc" && exec chroot "$0" "$@""#;

/// A sysdig that can be run.
#[derive(Debug, Clone)]
pub struct Sysdig {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    /// A program of this system.
    Program(PathBuf),
    /// A folder that [`Sysdig::prepare`] made.
    Root(PathBuf),
}

/// What sysdig shall run.
#[derive(Debug, Clone, Copy)]
pub struct Capture<'a> {
    /// The plugin's library.
    pub library: &'a Path,
    /// The plugin's name.
    pub plugin: &'a str,
    /// Libraries of plugins that only extract fields.
    pub extractors: &'a [PathBuf],
    /// Its init configuration.
    pub config: &'a str,
    /// Its open parameters.
    pub open: &'a str,
    /// A condition, as in a Falco rule with its macros and lists expanded; empty for every event.
    pub filter: &'a str,
    /// What to print for each event, as a Falco rule's output; absent values are `<NA>`.
    pub format: &'a str,
    /// End after so many events that pass the filter.
    pub count: Option<u64>,
}

/// Where `cargo xtask test` keeps the folder.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target("sysdig-root")
}

impl Sysdig {
    /// One in a folder made earlier, if it can be entered, or else a sysdig on the `PATH`: that may be older than
    /// the plugins want.
    pub fn find(root: &Path) -> Option<Self> {
        let program = || process::on_path("sysdig").map(|program| Self { place: Place::Program(program) });
        Self::made(root).or_else(program)
    }

    fn made(root: &Path) -> Option<Self> {
        let is_usable = is_complete(root) && can_enter().is_ok();
        is_usable.then(|| Self { place: Place::Root(root.to_path_buf()) })
    }

    /// The folder, made if need be, which takes about a minute, the network and root; a sysdig on the `PATH` where
    /// that does not work. What it says on the way goes to `line`.
    ///
    /// # Errors
    /// Why debootstrap cannot run, or the last line of what failed.
    pub fn prepare(root: &Path, mut line: impl FnMut(&str)) -> Result<Self> {
        if let Some(made) = Self::made(root) {
            return Ok(made);
        }
        let made = can_run_debootstrap(&mut line)
            .context("debootstrap cannot run")
            .and_then(|()| make_any(root, &mut line));
        if let Err(why) = made {
            line(&format!("{why:#}"));
            return Self::find(root).ok_or(why);
        }
        Ok(Self { place: Place::Root(root.to_path_buf()) })
    }

    /// The command that runs a capture until it is ended or has printed enough; its
    /// environment is the caller's.
    ///
    /// # Errors
    /// When the library cannot be put into the folder.
    pub fn command(&self, capture: &Capture<'_>) -> Result<Command> {
        let (mut command, root) = match &self.place {
            Place::Program(program) => (Command::new(program), None),
            Place::Root(root) => {
                let mut command = enter(root);
                command.arg("sysdig");
                (command, Some(root))
            }
        };
        let within = |library: &Path| match root {
            Some(root) => bring(root, library),
            None => Ok(library.as_os_str().to_owned()),
        };
        let mut plugin = within(capture.library)?;
        if !capture.config.is_empty() {
            plugin.push(":");
            plugin.push(capture.config);
        }
        command.arg("-H").arg(plugin);
        for extractor in capture.extractors {
            command.arg("-H").arg(within(extractor)?);
        }
        command.arg("-I").arg(match capture.open {
            "" => capture.plugin.to_owned(),
            open => format!("{}:{open}", capture.plugin),
        });
        if let Some(count) = capture.count {
            command.args(["-n", &count.to_string()]);
        }
        // The asterisk: print the line even where a value is absent.
        command.args(["-p", &format!("*{}", capture.format), "--unbuffered"]);
        if !capture.filter.is_empty() {
            command.arg(capture.filter);
        }
        Ok(command)
    }
}

fn can_run_debootstrap(line: &mut impl FnMut(&str)) -> Result<()> {
    can_enter()?;
    match process::on_path("debootstrap") {
        Some(_) => Ok(()),
        None => apt::install("debootstrap", line),
    }
}

/// Makes the folder from the first suite that allows it.
fn make_any(root: &Path, line: &mut impl FnMut(&str)) -> Result<()> {
    let mut failures = Vec::new();
    for suite in SUITES {
        match make(root, suite, line) {
            Ok(()) => return Ok(()),
            Err(why) => failures.push(format!("{suite}: {why:#}")),
        }
    }
    bail!("{}", failures.join("; "))
}

/// Makes the folder beside and renames it: what stands under the name is complete.
fn make(root: &Path, suite: &str, line: &mut impl FnMut(&str)) -> Result<()> {
    let fresh = root.with_extension("new");
    if fresh.exists() {
        // A debootstrap that was killed leaves these mounted; as a rule they are not.
        let mounted = ["proc", "sys"].map(|name| fresh.join(name));
        let _ = Command::new("umount").arg("--lazy").args(mounted).stderr(Stdio::null()).status();
        fs::remove_dir_all(&fresh).context("cannot remove what an earlier attempt left")?;
    }
    fs::create_dir_all(root.parent().context("no folder")?)?;
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", suite]).arg(&fresh);
    // Without a mirror, debootstrap has one of its own.
    debootstrap.args(mirror(&apt_sources()));
    checked(&mut debootstrap, &mut *line).context("debootstrap failed")?;
    // Not by debootstrap itself: it does not follow what a package provides under another name.
    let mut install = enter(&fresh);
    install.args(["apt-get", "install", "-y", "--no-install-recommends"]).args(PACKAGES);
    checked(install.env("DEBIAN_FRONTEND", "noninteractive"), &mut *line).context("apt-get install")?;
    checked(enter(&fresh).args(["sysdig", "--version"]), line).context("sysdig --version")?;
    fs::write(fresh.join(COMPLETE), PACKAGES.join(" "))?;
    if root.exists() {
        fs::remove_dir_all(root).context("cannot remove the outdated folder")?;
    }
    fs::rename(&fresh, root)?;
    Ok(())
}

/// Whether an earlier [`make`] came to its end, and with the same packages.
fn is_complete(root: &Path) -> bool {
    fs::read_to_string(root.join(COMPLETE)).is_ok_and(|packages| packages == PACKAGES.join(" "))
}

/// Whether a folder can be entered with `/proc` mounted: root alone may lack `CAP_SYS_ADMIN`, in a container.
fn can_enter() -> Result<()> {
    ensure!(process::is_root(), "this is not root");
    checked(Command::new("unshare").args(["--mount", "true"]), |_| {})
        .context("this root may not mount (`unshare --mount true`)")
}

/// A command inside the folder: what is added as arguments is run there.
fn enter(root: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", ENTER]).arg(root);
    command
}

/// Copies a library into the folder; its path there.
fn bring(root: &Path, library: &Path) -> Result<OsString> {
    let name = library.file_name().with_context(|| format!("`{}` is no file", library.display()))?;
    let folder = root.join(PLUGINS);
    fs::create_dir_all(&folder)?;
    // Beside and renamed: another run may have the old one loaded.
    let fresh = folder.join(format!("{}.{}", name.to_string_lossy(), std::process::id()));
    fs::copy(library, &fresh).with_context(|| format!("cannot copy `{}`", library.display()))?;
    fs::rename(&fresh, folder.join(name))?;
    Ok(Path::new("/").join(PLUGINS).join(name).into_os_string())
}

/// The text of this system's package sources, in both of apt's formats.
fn apt_sources() -> String {
    let folder = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let files = folder.map(|file| file.path()).chain([PathBuf::from("/etc/apt/sources.list")]);
    files.map(|file| fs::read_to_string(file).unwrap_or_default() + "\n").collect()
}

/// The Debian mirror that this system itself uses: the first address whose path is `/debian`,
/// which neither the security archive nor anybody else's repository has.
fn mirror(sources: &str) -> Option<String> {
    let lines = sources.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let relevant = lines.filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"));
    let mut words = relevant.flat_map(str::split_whitespace);
    words
        .find(|word| word.contains("://") && word.trim_end_matches('/').ends_with("/debian"))
        .map(|word| word.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sources: &str, expect: Option<&str>) {
        assert_eq!(mirror(sources).as_deref(), expect);
    }

    #[test]
    fn the_mirror_is_the_one_that_this_system_uses() {
        check(
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: stable\n",
            Some("http://mirror.test/debian"),
        );
        check(
            "deb [signed-by=/k] https://mirror.test/x/debian/ stable main",
            Some("https://mirror.test/x/debian"),
        );
        check("URIs: http://a.test/debian-security http://b.test/debian", Some("http://b.test/debian"));
        check("# deb http://old.test/debian stable main\ndeb http://other.test/ubuntu noble main", None);
        check("deb-src http://src.test/debian stable main", None);
        check("", None);
    }

    #[test]
    fn a_capture_becomes_sysdig_s_arguments() {
        let sysdig = Sysdig { place: Place::Program("/usr/bin/sysdig".into()) };
        let capture = Capture {
            library: Path::new("/p/libx.so"),
            plugin: "x",
            extractors: &[],
            config: r#"{"a":1}"#,
            open: "cluster",
            filter: "ka.verb=get",
            format: "%ka.verb",
            count: Some(5),
        };
        let words = |capture: &Capture<'_>| {
            let command = sysdig.command(capture).unwrap();
            command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            words(&capture),
            [
                "-H",
                r#"/p/libx.so:{"a":1}"#,
                "-I",
                "x:cluster",
                "-n",
                "5",
                "-p",
                "*%ka.verb",
                "--unbuffered",
                "ka.verb=get"
            ],
        );
        let bare = Capture { config: "", open: "", filter: "", count: None, ..capture };
        assert_eq!(words(&bare), ["-H", "/p/libx.so", "-I", "x", "-p", "*%ka.verb", "--unbuffered"]);
        let extractors = ["/p/libjson.so".into()];
        let with_another = words(&Capture { extractors: &extractors, ..bare });
        assert_eq!(with_another[..6], ["-H", "/p/libx.so", "-H", "/p/libjson.so", "-I", "x"]);
    }
}
