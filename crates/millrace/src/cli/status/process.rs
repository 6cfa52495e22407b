//! Is the process at our address ready?

use std::time::Duration;

use serde::Serialize;

use crate::settings::Listen;

/// A process that is alive answers at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// What a process says of itself.
#[derive(Debug, Serialize)]
pub(super) struct ProcessStatus {
    /// `http.listen`
    pub(super) listen: String,
    /// Nothing when nobody answers.
    pub(super) ready: Option<bool>,
    /// Why not.
    pub(super) reasons: Vec<String>,
}

pub(super) fn status(listen: &Listen) -> ProcessStatus {
    match listen {
        Listen::Off => ProcessStatus {
            listen: "off".to_owned(),
            ready: None,
            reasons: Vec::new(),
        },
        Listen::Address(address) => ask(address),
    }
}

fn ask(address: &str) -> ProcessStatus {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(ANSWER_WITHIN))
        .http_status_as_error(false)
        .build()
        .into();
    let answer = agent.get(format!("http://{address}/ready")).call();
    let (ready, reasons) = match answer {
        Ok(mut answer) => {
            let ready = answer.status().is_success();
            let text = answer.body_mut().read_to_string().unwrap_or_default();
            let lines = text.lines().map(str::to_owned);
            (
                Some(ready),
                if ready { Vec::new() } else { lines.collect() },
            )
        }
        Err(error) => (None, vec![error.to_string()]),
    };
    ProcessStatus {
        listen: address.to_owned(),
        ready,
        reasons,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with this.
    fn answering(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn a_process_tells_whether_it_is_ready_and_why_not() {
        let address = answering("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n");
        let ready = status(&Listen::Address(address));
        assert_eq!((ready.ready, ready.reasons.len()), (Some(true), 0));

        let address =
            answering("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\na\nb\n");
        let waiting = status(&Listen::Address(address));
        assert_eq!(waiting.ready, Some(false));
        assert_eq!(waiting.reasons, ["a", "b"]);
    }

    #[test]
    fn nobody_there_is_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        assert_eq!(status(&Listen::Address(address)).ready, None);
        assert_eq!(status(&Listen::Off).ready, None);
    }
}
