//! The sender of mails, as the settings say.

use millrace_smtp::SmtpSender;

use crate::settings::Settings;

/// The sender.
///
/// # Errors
/// Why no mail can be sent.
pub(crate) fn sender(settings: &Settings) -> Result<SmtpSender, String> {
    match settings.smtp.sender() {
        Ok(Some(sender)) => Ok(sender),
        Ok(None) => Err("`smtp.url` is not set".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Names, Sources};

    fn sender_of(options: &[&str]) -> Result<String, String> {
        let sources = Sources {
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..Sources::default()
        };
        let settings = Settings::load(&sources, &Names::default()).unwrap();
        sender(&settings).map(|sender| format!("{sender:?}"))
    }

    #[test]
    fn there_is_a_sender_once_there_is_a_mail_server() {
        assert_eq!(sender_of(&[]), Err("`smtp.url` is not set".to_owned()));
        let shown = sender_of(&["smtp.url=smtps://user:hunter2@mail.example.com"]).unwrap();
        assert!(shown.contains("mail.example.com"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
