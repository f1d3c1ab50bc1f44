//! Where a plugin's `.so` is.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Environment variable that names a folder of plugins.
const PLUGIN_DIR: &str = "K8SAUDIT_PLUGIN_DIR";

/// The file of a plugin: a path is taken as it is, a name is looked for in `first`, in
/// `$K8SAUDIT_PLUGIN_DIR`, beside this program, where a build puts it, and where Falco's
/// packages put it.
///
/// # Errors
/// Names every place that was looked at.
pub(crate) fn locate(plugin: &str, first: Option<&Path>) -> Result<PathBuf> {
    if plugin.contains('/') || plugin.ends_with(".so") {
        // A bare file name would send dlopen to the system's folders.
        let path = Path::new(plugin);
        return Ok(if path.components().count() == 1 { Path::new(".").join(path) } else { path.into() });
    }
    let file = format!("lib{plugin}.so");
    let folders = folders(first);
    match folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => {
            let folders: Vec<_> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
            bail!("no `{file}` in {}; name its folder with --plugin-dir", folders.join(", "))
        }
    }
}

fn folders(first: Option<&Path>) -> Vec<PathBuf> {
    let beside = env::current_exe().ok().and_then(|program| program.parent().map(Path::to_path_buf));
    let named = env::var_os(PLUGIN_DIR).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let fixed = ["target/plugins", "/usr/share/falco/plugins"].map(PathBuf::from);
    first.map(Path::to_path_buf).into_iter().chain(named).chain(beside).chain(fixed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_it_is() {
        for (given, expect) in
            [("./libx.so", "./libx.so"), ("/p/libx.so", "/p/libx.so"), ("libx.so", "./libx.so")]
        {
            assert_eq!(locate(given, None).unwrap(), Path::new(expect));
        }
    }

    #[test]
    fn a_name_that_is_nowhere_names_the_places() {
        let message = locate("no-such-plugin", Some(Path::new("/first"))).unwrap_err().to_string();
        assert!(message.starts_with("no `libno-such-plugin.so` in `/first`, "), "{message}");
        assert!(message.contains("`/usr/share/falco/plugins`; name its folder"), "{message}");
    }
}
