//! Links the plugin as the host expects it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // A thread that the host has not seen end must not return into unmapped code: see `audit_plugin::export_plugin`.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
