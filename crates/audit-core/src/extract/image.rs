//! The parts of a container image's name.

/// The name less tag and digest: `registry:5000/team/app:1.2@sha256:...` gives `registry:5000/team/app`.
///
/// A tag begins at a colon behind the last slash; one before it belongs to the registry's port.
pub(super) fn repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _digest)| name);
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name.get(last..).and_then(|component| component.find(':')) {
        Some(colon) => name.get(..last + colon).unwrap_or(name),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::repository;

    #[track_caller]
    fn check(image: &str, expect: &str) {
        assert_eq!(repository(image), expect, "{image}");
    }

    #[test]
    fn cuts_tag_and_digest() {
        check("nginx", "nginx");
        check("nginx:1.27", "nginx");
        check("nginx@sha256:0123", "nginx");
        check("nginx:1.27@sha256:0123", "nginx");
        check("quay.io/team/app:v1", "quay.io/team/app");
    }

    #[test]
    fn keeps_the_port_of_a_registry() {
        check("registry:5000/app", "registry:5000/app");
        check("registry:5000/app:2", "registry:5000/app");
        check("registry:5000/team/app:2@sha256:0123", "registry:5000/team/app");
        check("[::1]:5000/app:2", "[::1]:5000/app");
    }

    #[test]
    fn takes_any_text() {
        for (image, expect) in
            [("", ""), (":", ""), ("@", ""), ("/", "/"), ("a/:", "a/"), ("é:ü", "é"), ("a:b:c", "a")]
        {
            check(image, expect);
        }
    }
}
