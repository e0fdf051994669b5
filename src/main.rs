//! The binary: calls the library and returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    inga::cli::main()
}
