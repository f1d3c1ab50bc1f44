//! The fuzz targets' seeds, held to the targets' checks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/properties.rs"]
mod properties;

#[track_caller]
fn replay(target: &str, check: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder of seeds") {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        check(&std::fs::read(&path).unwrap());
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds in {}", folder.display());
}

#[test]
fn split() {
    replay("split", properties::check_split);
}

#[test]
fn azure() {
    replay("azure", properties::check_azure);
}

#[test]
fn salvage() {
    replay("salvage", properties::check_salvage);
}

#[test]
fn extract() {
    replay("extract", properties::check_extract);
}

#[test]
fn pointer() {
    replay("pointer", properties::check_pointer);
}

/// Every seed in every target, cut and doubled: cheap neighbours of what the fuzzer found worth keeping.
#[test]
fn neighbours_of_seeds() {
    for target in ["split", "azure", "salvage", "extract", "pointer"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
        for entry in std::fs::read_dir(&folder).expect("the folder of seeds") {
            let seed = std::fs::read(entry.unwrap().path()).unwrap();
            for data in [seed.as_slice(), &seed[..seed.len() / 2], &seed[seed.len() / 3..], &seed.repeat(2)] {
                properties::check_split(data);
                properties::check_azure(data);
                properties::check_salvage(data);
                properties::check_extract(data);
                properties::check_pointer(data);
            }
        }
    }
}
