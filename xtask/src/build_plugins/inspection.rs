//! What an ELF library exports and needs, and what of that a plugin may.

use std::fmt;

use anyhow::{Context, Result};
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{Dyn, FileHeader};
use object::{Endianness, Object, ObjectSymbol};

/// A version of glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Glibc(pub(super) u32, pub(super) u32);

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What matters of a library.
#[derive(Debug, Default)]
pub(super) struct Inspection {
    /// Symbols that others can bind to.
    pub(super) exports: Vec<String>,
    /// Libraries that must be there when it is loaded.
    pub(super) needed: Vec<String>,
    /// The newest `GLIBC_x.y` among the symbol versions that it needs.
    pub(super) glibc: Option<Glibc>,
}

impl Inspection {
    pub(super) fn of(bytes: &[u8]) -> Result<Self> {
        let mut found = Self::default();
        let file = object::File::parse(bytes)?;
        for symbol in file.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.is_global()) {
            found.exports.push(symbol.name()?.to_owned());
        }
        let header = FileHeader64::<Endianness>::parse(bytes)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, bytes)?;
        let (entries, strings) = sections.dynamic(endian, bytes)?.context("no dynamic section")?;
        let strings = sections.strings(endian, bytes, strings)?;
        for entry in entries {
            if entry.tag(endian) == DT_NEEDED {
                found.needed.push(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
            }
        }
        if let Some((mut libraries, strings)) = sections.gnu_verneed(endian, bytes)? {
            let strings = sections.strings(endian, bytes, strings)?;
            while let Some((_, mut versions)) = libraries.next()? {
                while let Some(version) = versions.next()? {
                    let name = String::from_utf8_lossy(version.name(endian, strings)?);
                    found.glibc = found.glibc.max(glibc(&name));
                }
            }
        }
        Ok(found)
    }

    /// Why a plugin like this must not ship; empty when it may.
    pub(super) fn problems(&self, floor: Glibc) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.exports.iter().any(|name| name.starts_with("plugin_")) {
            problems.push("it exports no `plugin_*` symbol".to_owned());
        }
        let foreign: Vec<_> = self.exports.iter().filter(|name| !name.starts_with("plugin_")).collect();
        if let [first, others @ ..] = foreign.as_slice() {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            problems.push(format!("it exports `{first}`{more}, and only `plugin_*` may be visible"));
        }
        for name in self.needed.iter().filter(|name| OPENSSL.iter().any(|it| name.starts_with(it))) {
            problems.push(format!("it links `{name}`, and the one TLS stack is rustls"));
        }
        if let Some(glibc) = self.glibc.filter(|glibc| *glibc > floor) {
            problems.push(format!("it needs glibc {glibc}, and the floor is {floor}"));
        }
        problems
    }
}

const OPENSSL: [&str; 2] = ["libssl", "libcrypto"];

/// Of `GLIBC_2.34` or `GLIBC_2.2.5`, the first two numbers.
fn glibc(version: &str) -> Option<Glibc> {
    let mut numbers = version.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some(Glibc(major, minor)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(exports: &[&str], needed: &[&str], version: &str, expect: &[&str]) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let inspection = Inspection { exports: owned(exports), needed: owned(needed), glibc: glibc(version) };
        assert_eq!(inspection.problems(Glibc(2, 36)), expect);
    }

    #[test]
    fn what_must_not_ship_is_said() {
        let fine = ["plugin_init", "plugin_open"];
        check(&fine, &["libc.so.6"], "GLIBC_2.36", &[]);
        check(&fine, &[], "GLIBC_2.2.5", &[]);
        check(&fine, &[], "GLIBC_PRIVATE", &[]);
        check(&fine, &[], "GLIBC_2.38", &["it needs glibc 2.38, and the floor is 2.36"]);
        check(&[], &[], "", &["it exports no `plugin_*` symbol"]);
        check(
            &["plugin_init", "SSL_new"],
            &[],
            "",
            &["it exports `SSL_new`, and only `plugin_*` may be visible"],
        );
        check(
            &fine,
            &["libssl.so.3", "libm.so.6"],
            "",
            &["it links `libssl.so.3`, and the one TLS stack is rustls"],
        );
    }

    #[test]
    fn a_real_library_is_read() {
        // This test's own program: no library, but dynamic and linked to glibc.
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let inspection = Inspection::of(&program).unwrap();
        assert!(inspection.needed.iter().any(|name| name == "libc.so.6"), "{:?}", inspection.needed);
        assert!(inspection.glibc > Some(Glibc(2, 0)), "{:?}", inspection.glibc);
        assert!(Inspection::of(b"no ELF at all").is_err());
    }
}
