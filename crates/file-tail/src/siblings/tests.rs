use super::*;

#[track_caller]
fn check(base: &str, name: &str, expect: Option<(&str, Option<u32>)>) {
    assert_eq!(rotated(base, name), expect, "{name}");
}

#[test]
fn names_of_rotated_files() {
    let time = "audit-2024-05-01T10-00-00.000.log";
    check("audit.log", time, Some((time, None)));
    check("audit.log", "audit-2024-05-01T10-00-00.000.log.gz", Some((time, None)));
    check("audit.log", "audit.log.1", Some(("audit.log.1", Some(1))));
    check("audit.log", "audit.log.12.zst", Some(("audit.log.12", Some(12))));
    check("audit.log", "audit.1.log", Some(("audit.1.log", Some(1))));
    check("audit.log", "audit.log-20240501", Some(("audit.log-20240501", None)));
    check("audit.log", "audit-20240501.log", Some(("audit-20240501.log", None)));
    check("audit.log", "audit_1.log", Some(("audit_1.log", Some(1))));
    check("audit", "audit.1", Some(("audit.1", Some(1))));
    check("0.log", "0.log.20240501-100000", Some(("0.log.20240501-100000", None)));
}

#[test]
fn names_of_other_files() {
    for name in
        ["audit.log", "audit.log.gz", "audit-webhook.log", "audit.log.bak", "audit2.log", "audit.log.", "x.1"]
    {
        check("audit.log", name, None);
    }
    check("audit.log", "audit-kube-1.log", None);
    check("audit-1.log", "audit-2.log", None);
}

#[test]
fn the_oldest_is_first() {
    for (names, times) in [
        (["audit.log.10", "audit.log.9", "audit.log.1"], [1, 3, 2]),
        (["audit-20240501.log", "audit-20240502.log", "audit-20240503.log"], [3, 1, 2]),
        // Several sorts of names: by the time, and where that is the same, by the names.
        (["audit.log.7", "audit-20240501.log", "audit.log.1"], [1, 2, 3]),
    ] {
        let one = |(name, modified): (&str, i64)| Sibling {
            path: name.into(),
            home: "audit.log".into(),
            name: name.to_owned(),
            plain_name: name.to_owned(),
            id: FileId { device: 1, inode: 1 },
            modified,
            size: 0,
            index: rotated("audit.log", name).and_then(|(_, index)| index),
        };
        let mut siblings: Vec<_> = names.into_iter().zip(times).rev().map(one).collect();
        sort(&mut siblings);
        assert!(siblings.iter().map(|one| one.name.as_str()).eq(names), "{siblings:?}");
    }
}

#[test]
fn what_is_empty_or_a_link_is_left_out() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("audit.log"), "live\n").expect("written");
    fs::hard_link(path("audit.log"), path("audit.log.1")).expect("linked");
    // A copy of which nothing was written yet.
    fs::write(path("audit.log.2"), "").expect("written");
    fs::write(path("audit.log.3"), "rotated\n").expect("written");
    let live = Track::live(&path("audit.log")).expect("opened");
    let found = Siblings::of(&path("audit.log")).expect("listed").since(0, Some(&live), |_| true);
    let found = found.expect("opened").expect("nothing was renamed");
    assert!(found.iter().map(|track| &track.path).eq([&path("audit.log.3")]));
}
