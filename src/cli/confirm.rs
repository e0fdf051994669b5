//! Asking before something is lost.

use std::io::{IsTerminal, Write};

use crate::app::AppError;

/// Returns whether what is about to be lost may be: `--yes` was given, or somebody at a terminal agrees.
///
/// # Errors
/// Where nobody can be asked and `--yes` is missing.
pub(super) fn confirmed(yes: bool, what: &str) -> Result<bool, AppError> {
    if yes {
        return Ok(true);
    }
    let (input, mut error) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() || !error.is_terminal() {
        return Err(AppError::Usage(format!("this would {what}; give --yes to do it")));
    }
    let asked = write!(error, "This would {what}. Go on? [y/N] ").and_then(|()| error.flush());
    let mut answer = String::new();
    let answered = asked.and_then(|()| input.read_line(&mut answer));
    Ok(answered.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}
