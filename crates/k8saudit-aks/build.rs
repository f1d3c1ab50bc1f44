//! Links the plugin as the host expects it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // See `audit_plugin::export_plugin`, "Staying mapped".
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // Only `plugin_*` is exported. This plugin alone does not link what is named there; with the whole workspace,
    // it does.
    let hidden = concat!(env!("CARGO_MANIFEST_DIR"), "/../audit-plugin/hidden-symbols.map");
    println!("cargo:rerun-if-changed={hidden}");
    println!("cargo:rustc-cdylib-link-arg=-Wl,--undefined-version,--version-script={hidden}");
}
