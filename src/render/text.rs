//! Text in columns, for people at a terminal.

use std::io::{self, Write};

/// Writes rows in columns. A column is as wide as its widest cell, and two spaces separate columns. Lines
/// have no spaces at the end.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn table(out: &mut dyn Write, rows: &[Vec<String>]) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut line = String::new();
    for row in rows {
        line.clear();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            let padding = width.saturating_sub(cell.chars().count()) + 2;
            line.extend(std::iter::repeat_n(' ', padding));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut out = Vec::new();
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        table(&mut out, &[row("a", "b"), row("long", "c")]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a     b\nlong  c\n");
    }
}
