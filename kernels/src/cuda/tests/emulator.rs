//! The stand-in for the driver: compiled when its sources change, and loaded under the driver's name.
#![expect(unsafe_code, reason = "loading a library runs its code")]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs, process};

use libloading::Library;

/// The kernels, and the emulator in a folder beside them.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cuda");

/// Which `driver.rs` asks for first: the loader then takes the library of this name that is loaded already.
const NAME: &str = "libcuda.so.1";

const OPTIONS: [&str; 8] = [
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-shared",
    "-Wall",
    "-Werror",
    "-Wno-unknown-pragmas",
    // As written: every product rounded, so that threads in another order give the same bits.
    "-ffp-contract=off",
];

static DRIVER: LazyLock<Library> = LazyLock::new(|| {
    // SAFETY: we have compiled it; its initialisers only fill tables.
    unsafe { Library::new(compiled()) }.unwrap()
});

/// The emulator, which is kept beside this program and named by what it was made of.
fn compiled() -> PathBuf {
    let mut hash = DefaultHasher::new();
    OPTIONS.hash(&mut hash);
    for folder in [PathBuf::from(SOURCES), Path::new(SOURCES).join("emulator")] {
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.is_file()) {
            file.file_name().hash(&mut hash);
            fs::read(file).unwrap().hash(&mut hash);
        }
    }
    let program = env::current_exe().unwrap();
    let library = program.with_file_name(format!("weft-cuda-emulator-{:016x}.so", hash.finish()));
    if !library.exists() {
        // Whoever else compiles it now makes the same.
        let made = library.with_extension(format!("{}", process::id()));
        compile(&Path::new(SOURCES).join("emulator/driver.cpp"), &made, &[&format!("-Wl,-soname,{NAME}")]);
        fs::rename(made, &library).unwrap();
    }
    library
}

/// Compiles a shared library.
pub(super) fn compile(source: &Path, library: &Path, options: &[&str]) {
    let made =
        Command::new("c++").args(OPTIONS).args(options).arg("-o").args([library, source]).output().expect(
            "these tests compile the kernels for this processor: install a C++ compiler (tools/setup)",
        );
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// From now on this thread's calls go to the emulator, which runs threads and blocks `backwards` or not, and
/// loses the device after `until_lost` kernels (never if `None`).
pub(super) fn start(backwards: bool, until_lost: Option<u32>) {
    // SAFETY: the function has this signature, and no conditions.
    unsafe {
        let set = DRIVER.get::<unsafe extern "C" fn(i32, i64)>(b"weft_emulate").unwrap();
        set(i32::from(backwards), until_lost.map_or(-1, i64::from));
    }
}

/// The same with some devices, which reach each other's memory or not.
pub(super) fn start_several(backwards: bool, devices: i32, linked: bool) {
    start(backwards, None);
    change_devices(devices, linked);
}

/// From now on there are so many devices.
pub(super) fn change_devices(devices: i32, linked: bool) {
    // SAFETY: the function has this signature, and no conditions.
    unsafe {
        let set = DRIVER.get::<unsafe extern "C" fn(i32, i32)>(b"weft_emulate_devices").unwrap();
        set(devices, i32::from(linked));
    }
}

/// From now on device `device` is of compute capability `major`.0.
pub(super) fn change_generation(device: i32, major: i32) {
    // SAFETY: the function has this signature, and the number is one of a device that the emulator can have.
    unsafe {
        let set = DRIVER.get::<unsafe extern "C" fn(i32, i32)>(b"weft_emulate_generation").unwrap();
        set(device, major);
    }
}

/// From now on device `device` is lost after `until_lost` more of its kernels.
pub(super) fn lose(device: i32, until_lost: u32) {
    // SAFETY: the function has this signature, and no conditions.
    unsafe {
        let set = DRIVER.get::<unsafe extern "C" fn(i32, i64)>(b"weft_emulate_loss").unwrap();
        set(device, i64::from(until_lost));
    }
}

/// Kernels that this thread has run on one device since the last start.
pub(super) fn launches_on(device: u32) -> i64 {
    // SAFETY: the function has this signature, and the number is one of a device that was opened.
    unsafe {
        let count = DRIVER.get::<unsafe extern "C" fn(i32) -> i64>(b"weft_emulated_launches_on").unwrap();
        count(device as i32)
    }
}

/// Bytes that went from one device to another since the last start.
pub(super) fn exchanged() -> i64 {
    number(b"weft_emulated_exchange")
}

/// From now on this thread finds no device, until the next start.
pub(super) fn take_away() {
    // SAFETY: the function has this signature, and no conditions.
    unsafe {
        DRIVER.get::<unsafe extern "C" fn(i32)>(b"weft_emulate_absence").unwrap()(1);
    }
}

/// One of the numbers that the emulator keeps.
fn number(name: &[u8]) -> i64 {
    // SAFETY: the function has this signature, and no conditions.
    unsafe { DRIVER.get::<unsafe extern "C" fn() -> i64>(name).unwrap()() }
}

/// Kernels that this thread has run, and graphs, since the last start.
pub(super) fn counts() -> (i64, i64) {
    (number(b"weft_emulated_launches"), number(b"weft_emulated_replays"))
}

/// What this thread's calls hold.
pub(super) struct Held {
    /// Bytes of the device's memory, and the most of them since the last start.
    pub(super) memory: i64,
    pub(super) most: i64,
    pub(super) graphs: i64,
}

pub(super) fn held() -> Held {
    Held {
        memory: number(b"weft_emulated_memory"),
        most: number(b"weft_emulated_most_memory"),
        graphs: number(b"weft_emulated_graphs"),
    }
}
