//! What others wrote, as it may stand in our texts.

const BYTES_MAX: usize = 300;

/// At most 300 bytes without control characters.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        let character = if character.is_control() {
            ' '
        } else {
            character
        };
        if line.len() + character.len_utf8() > BYTES_MAX {
            break;
        }
        line.push(character);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_control_characters() {
        assert_eq!(one_line("a\r\nb\u{7f}\u{85}c"), "a  b  c");
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        assert_eq!(one_line(&"x".repeat(299)).len(), 299);
        assert_eq!(one_line(&"x".repeat(301)).len(), 300);
        assert_eq!(one_line(&format!("{}äx", "x".repeat(299))).len(), 299);
    }
}
