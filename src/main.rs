//! The thin program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    inga::cli::main()
}
