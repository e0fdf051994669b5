//! Confirmation of actions that cannot be undone.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::app::AppError;
use crate::escape::escape_hidden;

/// The option that confirms an action in advance.
#[derive(Debug, clap::Args)]
pub(super) struct ConfirmArgs {
    /// Skip the confirmation; required where there is no terminal to ask at
    #[arg(long)]
    yes: bool,
}

impl ConfirmArgs {
    /// Asks the user to confirm the action that `what` describes, unless `--yes` was given. The question goes
    /// to standard error, so that standard output has only results.
    ///
    /// # Errors
    /// Returns [`AppError::Usage`], which ends with exit code 2, if the answer is anything but yes, or if
    /// standard input or standard error is not a terminal. The caller must then do nothing.
    pub(super) fn confirm(&self, what: &str) -> Result<(), AppError> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(AppError::Usage(format!(
                "{what}. Nothing was done: there is no terminal to ask at; give --yes to do it"
            )));
        }
        match ask(what, &mut io::stdin().lock(), &mut anstream::stderr()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(AppError::Usage("nothing was done".to_owned())),
            Err(error) => Err(AppError::Usage(format!("nothing was done: the terminal failed: {error}"))),
        }
    }
}

/// Asks a question and returns whether the answer was `y` or `yes`, in upper or lower case. Any other line
/// and the end of input mean no.
fn ask(what: &str, answers: &mut dyn BufRead, out: &mut dyn Write) -> io::Result<bool> {
    write!(out, "{}. Go on? [y/N] ", escape_hidden(what))?;
    out.flush()?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        let asked = |answer: &str| {
            let mut out = Vec::new();
            let yes = ask("all of\u{1b} it goes", &mut answer.as_bytes(), &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), "all of\\u{1b} it goes. Go on? [y/N] ");
            yes
        };
        let answers = ["y\n", "Yes\r\n", " YES \n", "y", "", "\n", "n\n", "yess\n", "no, yes\n"];
        assert_eq!(answers.map(asked), [true, true, true, true, false, false, false, false, false]);
    }
}
