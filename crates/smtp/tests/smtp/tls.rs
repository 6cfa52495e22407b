//! What is said is encrypted, to the server that was meant and to no other.
//!
//! Whom to trust is the machine's affair, so a process that trusts the test's own certificate is
//! told so from outside: it is this program again, with one test that does nothing otherwise.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

use crate::{mail, send, sender};

const URL: &str = "MILLRACE_TEST_SMTP_URL";

#[test]
#[ignore = "run by the other tests"]
fn one_mail_to_the_server_that_the_environment_names() {
    let Ok(url) = std::env::var(URL) else {
        println!("there is no {URL}");
        return;
    };
    send(&sender(&url), mail(1)).unwrap();
}

fn one_mail(url: &str, trusted: &Path) -> Output {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--ignored", "--exact"]);
    program.arg("tls::one_mail_to_the_server_that_the_environment_names");
    program.env(URL, url).env("SSL_CERT_FILE", trusted);
    program.output().unwrap()
}

#[test]
fn a_mail_is_encrypted_from_the_first_byte_or_from_starttls_on() {
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("trusted.pem");
    for (scheme, is_implicit) in [("smtps", true), ("smtp", false)] {
        let (key, certificate) = certificate();
        std::fs::write(&trusted, certificate.to_pem().unwrap()).unwrap();
        let (address, serving) = serve(&key, &certificate, is_implicit);
        let tls = if is_implicit { "" } else { "?tls=required" };
        let port = address.port();
        let output = one_mail(
            &format!("{scheme}://jon:hunter2@localhost:{port}{tls}"),
            &trusted,
        );
        assert!(output.status.success(), "{output:?}");
        let said = serving.join().unwrap();
        let is_login = |line: &String| line.starts_with("AUTH PLAIN ");
        assert!(said.iter().any(is_login), "{said:?}");
        assert!(
            said.contains(&"RCPT TO:<jon-1@example.com>".to_owned()),
            "{said:?}"
        );
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_told_nothing() {
    for (scheme, is_implicit) in [("smtps", true), ("smtp", false)] {
        let (key, certificate) = certificate();
        let (address, serving) = serve(&key, &certificate, is_implicit);
        let tls = if is_implicit {
            ""
        } else {
            "?tls=opportunistic"
        };
        let url = format!("{scheme}://jon:hunter2@localhost:{}{tls}", address.port());
        let error = send(&sender(&url), mail(1)).unwrap_err().to_string();
        assert!(error.contains("certificate"), "{error}");
        assert_eq!(serving.join().unwrap(), Vec::<String>::new());
    }
}

/// For `localhost`, by itself.
fn certificate() -> (PKey<Private>, X509) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "localhost").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(2).unwrap())
        .unwrap();
    let constraints = BasicConstraints::new().critical().ca().build().unwrap();
    builder.append_extension(constraints).unwrap();
    let alternative = SubjectAlternativeName::new()
        .dns("localhost")
        .build(&builder.x509v3_context(None, None))
        .unwrap();
    builder.append_extension(alternative).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (key, builder.build())
}

/// Serves one connection; what was said to it encrypted comes with the end.
fn serve(
    key: &PKey<Private>,
    certificate: &X509,
    is_implicit: bool,
) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_private_key(key).unwrap();
    acceptor.set_certificate(certificate).unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        if !is_implicit {
            begin_tls(&mut stream);
        }
        match acceptor.accept(stream) {
            Ok(stream) => talk(stream, is_implicit),
            // The client did not like the certificate.
            Err(_) => Vec::new(),
        }
    });
    (address, serving)
}

fn begin_tls(stream: &mut TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    stream.write_all(b"220 test\r\n").unwrap();
    for answer in ["250-test\r\n250 STARTTLS\r\n", "220 go on\r\n"] {
        reader.read_line(&mut String::new()).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

fn talk(stream: impl Read + Write, greets: bool) -> Vec<String> {
    let mut stream = BufReader::new(stream);
    let mut said = Vec::new();
    if greets {
        stream
            .get_mut()
            .write_all(b"220 test\r\n")
            .unwrap_or_default();
    }
    let mut is_text = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or_default() == 0 {
            return said;
        }
        let line = line.trim_end().to_owned();
        let answer = match line.get(..4).unwrap_or_default() {
            _ if is_text && line != "." => continue,
            "EHLO" => "250-test\r\n250 AUTH PLAIN\r\n",
            "AUTH" => "235 welcome\r\n",
            "DATA" => "354 go on\r\n",
            _ => "250 ok\r\n",
        };
        is_text = line == "DATA";
        said.push(line);
        stream
            .get_mut()
            .write_all(answer.as_bytes())
            .unwrap_or_default();
    }
}
