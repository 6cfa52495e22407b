//! A mail server on loopback that does what a script says, for each connection anew. Plain threads;
//! all of them end with the value.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const CAPABILITIES: &str = "250-test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the server was asked, or is about to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    EndOfData,
}

/// What the server does instead of saying yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Says this, line ends added.
    Say(&'static str),
    /// Says nothing more, until the other side closes.
    Hang,
    /// Closes the connection.
    Close,
}

/// What one connection does; yes to all that is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    acts: Vec<(Stage, Act)>,
    mails_max: Option<usize>,
}

impl Script {
    /// Yes to everything.
    pub(crate) fn accept() -> Self {
        Self::default()
    }

    /// At this stage, this.
    pub(crate) fn at(stage: Stage, act: Act) -> Self {
        Self::accept().and(stage, act)
    }

    /// At this stage too; an act is for one time, so a stage may be named again for the next mail.
    pub(crate) fn and(mut self, stage: Stage, act: Act) -> Self {
        self.acts.push((stage, act));
        self
    }

    /// Closes after so many mails.
    pub(crate) fn closing_after(mut self, mails: usize) -> Self {
        self.mails_max = Some(mails);
        self
    }
}

/// One mail that was accepted, or of which only the answer was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// In angle brackets, with what follows.
    pub(crate) from: String,
    pub(crate) to: String,
    /// Dots undone, with the line ends that it came with.
    pub(crate) text: String,
}

/// What has happened so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) mails: Vec<Received>,
    /// Every line that was said to the server, mails left out.
    pub(crate) commands: Vec<String>,
    pub(crate) connections: usize,
    /// How many of them are over.
    pub(crate) closed: usize,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    scripts: Mutex<VecDeque<Script>>,
    /// To be cut when the server goes.
    open: Mutex<Vec<TcpStream>>,
}

/// The server.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    accepting: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Connections follow these scripts, one each; those after that say yes to everything.
    pub(crate) fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        shared.scripts.lock().unwrap().extend(scripts);
        let stop = Arc::new(AtomicBool::new(false));
        let (of_thread, stops) = (Arc::clone(&shared), Arc::clone(&stop));
        let accepting = std::thread::spawn(move || accept(&listener, &of_thread, &stops));
        Self {
            address,
            shared,
            stop,
            accepting: Some(accepting),
        }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// As `smtp.url` has it.
    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// What has happened until now; there may be more in a moment.
    pub(crate) fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Waits until this holds; panics with what was seen when it takes too long.
    pub(crate) fn wait(&self, holds: impl Fn(&Seen) -> bool) -> Seen {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.shared.seen.lock().unwrap();
        while !holds(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it never held: {seen:#?}");
            seen = self.shared.changed.wait_timeout(seen, left).unwrap().0;
        }
        seen.clone()
    }

    /// Closes every connection, as a server does after some idle time.
    pub(crate) fn close_all(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            // One that is closed already cannot be closed again.
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts; if that failed, it is gone already.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
        self.close_all();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, stop: &AtomicBool) {
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let stream = stream.unwrap();
        stream.set_nodelay(true).unwrap();
        let script = shared.scripts.lock().unwrap().pop_front();
        let script = script.unwrap_or_default();
        shared
            .open
            .lock()
            .unwrap()
            .push(stream.try_clone().unwrap());
        shared.note(|seen| seen.connections += 1);
        let of_thread = Arc::clone(shared);
        std::thread::spawn(move || {
            let conversation = Conversation {
                reader: BufReader::new(stream.try_clone().unwrap()),
                stream,
                script,
                shared: &of_thread,
            };
            // However it ended, it is over; the other handle must not keep it open.
            let stream = conversation.stream.try_clone().unwrap();
            assert!(
                conversation.run().is_none(),
                "a conversation has no end but one"
            );
            stream.shutdown(Shutdown::Both).unwrap_or_default();
            of_thread.note(|seen| seen.closed += 1);
        });
    }
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
    }
}

struct Conversation<'a> {
    reader: BufReader<TcpStream>,
    stream: TcpStream,
    script: Script,
    shared: &'a Shared,
}

/// What was said; `None` when the conversation is over.
type Said = Option<Answer>;

#[derive(PartialEq, Eq)]
enum Answer {
    Yes,
    Other,
}

impl Conversation<'_> {
    fn run(mut self) -> Said {
        self.answer(Stage::Greeting, "220 test ESMTP")?;
        let (mut from, mut to, mut mails) = (String::new(), String::new(), 0);
        loop {
            let line = self.line()?;
            self.shared.note(|seen| seen.commands.push(line.clone()));
            let word = line.split(' ').next().unwrap_or_default();
            match word {
                "EHLO" => self.answer(Stage::Ehlo, CAPABILITIES)?,
                "STARTTLS" => self.answer(Stage::StartTls, "454 no TLS here")?,
                "AUTH" => self.answer(Stage::Auth, "235 welcome")?,
                "MAIL" => {
                    line.trim_start_matches("MAIL FROM:").clone_into(&mut from);
                    self.answer(Stage::Mail, "250 sender ok")?
                }
                "RCPT" => {
                    line.trim_start_matches("RCPT TO:").clone_into(&mut to);
                    self.answer(Stage::Rcpt, "250 recipient ok")?
                }
                "DATA" if self.answer(Stage::Data, "354 go on")? == Answer::Yes => {
                    let text = self.text()?;
                    let (from, to) = (from.clone(), to.clone());
                    self.end_of_data(Received { from, to, text })?;
                    mails += 1;
                    if self.script.mails_max == Some(mails) {
                        return None;
                    }
                    Answer::Yes
                }
                "DATA" => Answer::Other,
                "QUIT" => {
                    self.say("221 bye")?;
                    return None;
                }
                _ => self.say("500 what?")?,
            };
        }
    }

    /// A mail is there before its sender knows; one that is refused never is.
    fn end_of_data(&mut self, mail: Received) -> Said {
        let act = self.script.next(Stage::EndOfData);
        if !matches!(act, Some(Act::Say(said)) if !said.starts_with('2')) {
            self.shared.note(|seen| seen.mails.push(mail));
        }
        self.act(act.as_ref(), "250 queued")
    }

    fn answer(&mut self, stage: Stage, yes: &str) -> Said {
        let act = self.script.next(stage);
        self.act(act.as_ref(), yes)
    }

    fn act(&mut self, act: Option<&Act>, yes: &str) -> Said {
        match act {
            None => {
                self.say(yes)?;
                Some(Answer::Yes)
            }
            Some(Act::Say(said)) => self.say(said),
            Some(Act::Close) => None,
            Some(Act::Hang) => {
                while self.line().is_some() {}
                None
            }
        }
    }

    fn say(&mut self, text: &str) -> Said {
        self.stream
            .write_all(format!("{text}\r\n").as_bytes())
            .ok()?;
        Some(Answer::Other)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let count = self.reader.read_until(b'\n', &mut line).ok()?;
        // Not one byte more than the line may be lost from what a test looks at.
        let line = String::from_utf8(line).unwrap();
        (count > 0).then(|| line.strip_suffix("\r\n").unwrap_or(&line).to_owned())
    }

    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Some(text);
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push_str("\r\n");
        }
    }
}

impl Script {
    /// Each act is for one time.
    fn next(&mut self, stage: Stage) -> Option<Act> {
        let at = self.acts.iter().position(|(each, _)| *each == stage)?;
        Some(self.acts.remove(at).1)
    }
}
