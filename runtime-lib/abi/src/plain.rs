//! Text of strangers, as people are shown it: it cannot move a cursor, begin a line, hide a letter
//! or turn the direction of reading.
//!
//! Names, logs and panic messages are a guest's to choose, and a terminal obeys what it is sent. So
//! every text that a person may see goes through [`Plain`], wherever it is put together. What is
//! for machines (JSON, files) stays what it is.

use core::fmt::{self, Display, Write};

/// Shows a text with every character escaped that is not simply seen, as Rust writes it: `\n`,
/// `\u{1b}`, `\u{202e}`. Those are control and format characters, separators but for the space,
/// marks that combine with what is before them, and unassigned code points.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'t>(pub &'t str);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| if is_plain(c) { f.write_char(c) } else { escape(f, c) })
    }
}

/// Whether a character shows as itself and does nothing else.
pub fn is_plain(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

fn escape(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    Display::fmt(&c.escape_debug(), f)
}

#[cfg(test)]
mod tests {
    use super::Plain;
    use alloc::string::ToString;

    #[test]
    fn only_what_is_seen_stays() {
        for text in ["Core_version", "a 'b' \"c\" \\d", "ключ 鍵 é", ""] {
            assert_eq!(Plain(text).to_string(), text);
        }
        for (text, shown) in [
            ("\x1b]0;t\x07", r"\u{1b}]0;t\u{7}"),
            ("a\r\nb\tc\0\x7f", r"a\r\nb\tc\0\u{7f}"),
            ("\u{9b}31m\u{85}", r"\u{9b}31m\u{85}"),
            ("\u{202e}\u{2066}\u{200f}\u{61c}", r"\u{202e}\u{2066}\u{200f}\u{61c}"),
            (
                "\u{2028}\u{2029}\u{200b}\u{feff}\u{e0041}",
                r"\u{2028}\u{2029}\u{200b}\u{feff}\u{e0041}",
            ),
        ] {
            assert_eq!(Plain(text).to_string(), shown);
        }
    }
}
