//! The port to the outside world for mails, by SMTP.
//!
//! [`SmtpSender`] connects when it has a mail to send. The same mail becomes the same bytes every
//! time, `Message-ID` and `Date` included, so that a repetition can be recognised.
//!
//! What goes wrong before the server is asked about a mail says nothing about the mail: the server
//! is away, does not know us, or will not encrypt. That is tried again, whatever the answer was.
//! From then on the server's answer counts: 4xx and a lost connection are tried again, 5xx is a
//! refusal.

mod address;
mod config;
mod idle;
mod letter;
mod sender;
mod session;
mod text;
mod url;

pub use config::{ConfigError, SmtpConfig};
pub use sender::SmtpSender;
