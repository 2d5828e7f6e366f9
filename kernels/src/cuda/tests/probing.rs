//! No driver, a broken one, or one that says what nobody has heard of: an error, and never a panic.
#![expect(unsafe_code, reason = "calls of a driver that is not one")]

use std::fs;
use std::path::Path;

use super::emulator;
use crate::DeviceError;
use crate::cuda::driver::{SYMBOLS, load_first};

/// Functions of a driver that do nothing but return `code`: all but `left_out`.
fn functions(code: u32, left_out: &str) -> String {
    let symbols = SYMBOLS.iter().filter(|symbol| **symbol != left_out);
    symbols.fold(String::new(), |source, symbol| {
        source + "extern \"C\" int " + symbol + "() { return " + &code.to_string() + "; }\n"
    })
}

/// Compiles `source` to a library in `folder`; its path.
fn library(folder: &Path, name: &str, source: &str) -> String {
    let (code, made) = (folder.join(format!("{name}.cpp")), folder.join(format!("{name}.so")));
    fs::write(&code, source).unwrap();
    emulator::compile(&code, &made, &[]);
    made.display().to_string()
}

#[test]
fn without_a_driver_there_is_an_error() {
    let names = ["libweft-no-such-driver.so", "/nowhere/libcuda.so"];
    assert_eq!(load_first(&names).unwrap_err(), DeviceError::NoDriver);
    assert_eq!(load_first(&[]).unwrap_err(), DeviceError::NoDriver);
}

#[test]
fn a_broken_file_or_an_old_driver_is_passed_over_for_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.so").display().to_string();
    fs::write(&broken, "this is not a library").unwrap();
    assert_eq!(load_first(&[&broken]).unwrap_err(), DeviceError::NoDriver);

    let old = library(folder.path(), "old", "extern \"C\" int cuInit(unsigned) { return 34; }");
    let error = load_first(&[&broken, &old]).unwrap_err();
    assert!(matches!(&error, DeviceError::BrokenDriver { library, .. } if *library == old), "{error}");
    assert!(error.to_string().contains("older than CUDA 12.0"), "{error}");

    let whole = library(folder.path(), "whole", &functions(0, ""));
    load_first(&[&broken, &old, &whole]).unwrap();
}

#[test]
fn errors_that_nobody_knows_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    // Returns what it is given, and explains nothing.
    let init = "extern \"C\" unsigned cuInit(unsigned code) { return code; }\n";
    let echo = functions(1, "cuInit") + init;
    let driver = load_first(&[&library(folder.path(), "echo", &echo)]).unwrap();
    let init = |code| {
        // SAFETY: this one only returns its argument.
        unsafe { driver.init(code) }.map_err(|code| driver.reason(code))
    };
    assert_eq!(init(0), Ok(()));
    for code in [1_234_567, u32::MAX] {
        assert!(init(code).unwrap_err().contains(&format!("error {code}")));
    }
    // What a toolkit has for linking returns this, whatever is called.
    assert!(init(34).unwrap_err().contains("stub of a toolkit"));
}
