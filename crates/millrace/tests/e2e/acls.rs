//! Rights on a Kafka that checks them, granted in its own protocol: its tool takes seconds for
//! each, and the client library has no call for it.

use std::io::{Read, Write};
use std::net::TcpStream;

const SASL_HANDSHAKE: (i16, i16) = (17, 1);
const SASL_AUTHENTICATE: (i16, i16) = (36, 0);
const CREATE_ACLS: (i16, i16) = (30, 1);
/// Of all names, or of all that begin so.
const LITERAL: u8 = 3;
const PREFIXED: u8 = 4;
const ALLOW: u8 = 3;

/// Something that a user may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Acl {
    pub(crate) user: String,
    pub(crate) resource: String,
    /// With a `*` at its end: all names that begin so.
    pub(crate) name: String,
    pub(crate) operation: String,
}

/// Grants these, as the administrator.
pub(crate) fn grant(kafka: &str, acls: &[Acl]) {
    let mut stream = TcpStream::connect(kafka).unwrap();
    let mut mechanism = Vec::new();
    put_text(&mut mechanism, "PLAIN");
    let answer = call(&mut stream, SASL_HANDSHAKE, &mechanism);
    assert_eq!(answer[..2], [0, 0], "handshake");
    let login = b"\0admin\0admin";
    let mut token = Vec::from(u32::try_from(login.len()).unwrap().to_be_bytes());
    token.extend(login);
    let answer = call(&mut stream, SASL_AUTHENTICATE, &token);
    assert_eq!(answer[..2], [0, 0], "authentication");

    let mut creations = Vec::from(u32::try_from(acls.len()).unwrap().to_be_bytes());
    for acl in acls {
        put(&mut creations, acl);
    }
    let answer = call(&mut stream, CREATE_ACLS, &creations);
    // After the throttle time and the count: no error and an empty text for each.
    let said = String::from_utf8_lossy(&answer);
    assert_eq!(answer[8..], vec![0; 4 * acls.len()], "{said}");
}

fn put(request: &mut Vec<u8>, acl: &Acl) {
    let resource = match acl.resource.as_str() {
        "topic" => 2,
        "group" => 3,
        "transactional id" => 5,
        other => panic!("a resource `{other}`"),
    };
    let operation = match acl.operation.as_str() {
        "Read" => 3,
        "Write" => 4,
        "Create" => 5,
        "Describe" => 8,
        "DescribeConfigs" => 10,
        other => panic!("an operation `{other}`"),
    };
    let (name, pattern) = match acl.name.strip_suffix('*') {
        Some(prefix) => (prefix, PREFIXED),
        None => (acl.name.as_str(), LITERAL),
    };
    request.push(resource);
    put_text(request, name);
    request.push(pattern);
    put_text(request, &format!("User:{}", acl.user));
    put_text(request, "*");
    request.extend([operation, ALLOW]);
}

fn put_text(request: &mut Vec<u8>, text: &str) {
    request.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    request.extend(text.as_bytes());
}

/// The body of the answer.
fn call(stream: &mut TcpStream, (api, version): (i16, i16), body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend(api.to_be_bytes());
    request.extend(version.to_be_bytes());
    // A correlation id, and no client id.
    request.extend([0, 0, 0, 1, 0xff, 0xff]);
    request.extend(body);
    let length = u32::try_from(request.len()).unwrap();
    stream.write_all(&length.to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    answer.split_off(4)
}
