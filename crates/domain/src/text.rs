//! Texts that a command must give.

/// The text as typed; nothing when it is absent or holds only white space and control characters.
pub(crate) fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.chars().all(|c| c.is_whitespace() || c.is_control()))
}
