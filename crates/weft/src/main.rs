//! The program `weft`.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// What a call allocates on one thread is freed on another, some hundred times a call: docs/performance.md has what
/// this is worth.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    weft::cli::run(weft::cli::Arguments::parse())
}
