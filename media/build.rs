//! Finds the C libraries of this crate: libopus, and bcg729 when the feature `g729` asks for it.

fn main() {
    find("opus", "1.3", "libopus-dev");
    if std::env::var_os("CARGO_FEATURE_G729").is_some() {
        find("libbcg729", "1.1", "libbcg729-dev");
    }
}

fn find(library: &str, version: &str, package: &str) {
    if let Err(error) = pkg_config::Config::new().atleast_version(version).print_system_libs(false).probe(library) {
        panic!("{library} is needed: install the Debian package {package} ({error})");
    }
}
