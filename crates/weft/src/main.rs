//! The program `weft`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    weft::cli::run(weft::cli::Arguments::parse())
}
