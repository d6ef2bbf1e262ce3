//! Finds libopus, the one C library of this crate.

fn main() {
    if let Err(error) = pkg_config::Config::new().atleast_version("1.3").print_system_libs(false).probe("opus") {
        panic!("libopus is needed: install the Debian package libopus-dev ({error})");
    }
}
