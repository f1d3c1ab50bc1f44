//! Links the example as every plugin is to be linked: see `export_plugin!`, "Staying mapped".

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // A plugin has `rustc-cdylib-link-arg` here, which cargo does not heed for an example, nor `link-arg-examples` for
    // one that is a library; the tests, which get these too, do not mind.
    println!("cargo:rustc-link-arg=-Wl,-z,nodelete");
    let hidden = concat!(env!("CARGO_MANIFEST_DIR"), "/hidden-symbols.map");
    println!("cargo:rerun-if-changed={hidden}");
    // Alone, this crate does not link S3's dependencies; with the whole workspace, it does.
    println!("cargo:rustc-link-arg=-Wl,--undefined-version,--version-script={hidden}");
}
