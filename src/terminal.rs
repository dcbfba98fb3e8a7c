//! Lines for people on standard output and standard error.

use crate::escape::Indented;
use std::fmt::Display;
use std::io::Write;

/// Prints a line on standard output, escaped so that untrusted text cannot forge another line.
/// Errors, such as a full disk, are ignored.
pub fn print_line(line: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", Indented(line)).and_then(|()| out.flush());
}

/// Prints an error on standard error, escaped in the same way.
pub fn print_error(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", Indented(line));
}
