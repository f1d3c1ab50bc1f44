//! Versions as the plugin API writes them, and which of them a host accepts.

use std::fmt;

use falco_plugin_api::{PLUGIN_API_VERSION_MAJOR, PLUGIN_API_VERSION_MINOR, PLUGIN_API_VERSION_PATCH};

/// `major.minor.patch`, all three required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Changes break.
    pub major: u32,
    /// Changes add.
    pub minor: u32,
    /// Changes mend.
    pub patch: u32,
}

impl Version {
    /// The plugin API that this host speaks.
    pub const HOST_API: Self = Self {
        major: PLUGIN_API_VERSION_MAJOR,
        minor: PLUGIN_API_VERSION_MINOR,
        patch: PLUGIN_API_VERSION_PATCH,
    };

    /// Reads `"3.11.0"`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => Some(Self { major, minor, patch }),
            _ => None,
        }
    }

    /// Why a host of version `self` refuses a plugin that requires `required`;
    /// the rule is libsinsp's: same major, and nothing newer than the host.
    pub(crate) fn refusal(self, required: Self) -> Option<&'static str> {
        if required.major != self.major {
            Some("major versions disagree")
        } else if required.minor > self.minor {
            Some("the host's minor is less than the requested one")
        } else if required.minor == self.minor && required.patch > self.patch {
            Some("the host's patch is less than the requested one")
        } else {
            None
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, required: &str, accepted: bool) {
        let host = Version::parse(host).unwrap();
        assert_eq!(host.refusal(Version::parse(required).unwrap()).is_none(), accepted);
    }

    #[test]
    fn a_host_accepts_its_major_and_nothing_newer_than_itself() {
        check("3.11.0", "3.11.0", true);
        check("3.12.0", "3.11.5", true);
        check("3.11.0", "3.12.0", false);
        check("3.11.0", "3.11.1", false);
        check("3.11.0", "2.0.0", false);
        check("3.11.0", "4.0.0", false);
    }

    #[test]
    fn a_version_has_three_numbers() {
        for text in ["", "3", "3.11", "3.11.x", "3.11.0.1", "-1.0.0"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
