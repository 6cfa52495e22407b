//! A bank that decides the commands topic as it stands, one record after the other, without
//! batches, workers or state that could be lost; and how the pipeline's topics differ from what it
//! says. Shares no code with the pipeline but the partitioner and the form of derived ids.

use std::collections::{BTreeMap, VecDeque};

use millrace_domain::bank::account::{Account, AccountEvent};
use millrace_runtime::decide::{AggregateTopics, Codecs};
use millrace_runtime::id::derived_command_id;
use millrace_runtime::outbox::NewHeader;
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::topic::TopicPartition;
use millrace_testkit::memory_log::{MemoryBroker, StoredRecord};
use serde_json::Value;

use super::clients::Clients;
use super::{PARTITIONS, WINDOW};

/// An answer, as far as the two must agree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    key: String,
    command_id: String,
    code: Option<String>,
    version: i64,
    has_event: bool,
    duplicate: bool,
    partition: i32,
    offset: i64,
}

/// An event, as far as the two must agree.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fact {
    version: i64,
    command_id: String,
    offset: i64,
    balance: Option<i64>,
}

/// What a record leads to elsewhere: partition, key, value, headers.
type Moved = (i32, Vec<u8>, Option<Vec<u8>>, Vec<NewHeader>);

#[derive(Debug, Default)]
struct Book {
    balance: i64,
    open: bool,
    closed: bool,
    version: i64,
    recent: VecDeque<(String, Told)>,
}

#[derive(Debug, Default)]
struct Bank {
    books: BTreeMap<String, Book>,
    facts: BTreeMap<String, Vec<Fact>>,
    told: BTreeMap<i32, Vec<Told>>,
    /// Answers about records that stand elsewhere.
    told_elsewhere: Vec<Told>,
    letters: BTreeMap<i32, Vec<(String, i64)>>,
    moved: Vec<Moved>,
}

/// One line for each difference.
pub(super) fn differences(
    topics: &AggregateTopics,
    codecs: &Codecs<Account>,
    broker: &MemoryBroker,
    clients: &Clients,
) -> Vec<String> {
    let mut bank = Bank::default();
    let mut wrong = Vec::new();
    let mut moved = Vec::new();
    for number in 0..PARTITIONS {
        let source = topics.commands.partition(number);
        for record in broker.committed(source) {
            bank.take(source, &record);
            if !clients.places.contains(&(number, record.offset)) {
                moved.push((
                    number,
                    record.key.unwrap_or_default(),
                    record.value,
                    record.headers,
                ));
            }
        }
    }
    let mut compare = |what: String, is: String, should: String| {
        if is != should {
            wrong.push(format!("{what}:\n  is     {is}\n  should {should}"));
        }
    };
    moved.sort();
    bank.moved.sort();
    compare(
        "moved".to_owned(),
        format!("{moved:?}"),
        format!("{:?}", bank.moved),
    );
    let mut elsewhere = Vec::new();
    for number in 0..PARTITIONS {
        let outcomes = broker.committed(topics.outcomes.partition(number));
        let told: Vec<_> = outcomes.iter().map(told).collect();
        let (own, other): (Vec<_>, Vec<_>) = told.into_iter().partition(|t| t.partition == number);
        elsewhere.extend(other);
        let should = bank.told.remove(&number).unwrap_or_default();
        for (is, should) in pairs(&own, &should) {
            compare(
                format!("outcome in {number}"),
                format!("{is:?}"),
                format!("{should:?}"),
            );
        }
        let letters = broker.committed(topics.dead_letters.partition(number));
        let letters: Vec<_> = letters.iter().map(letter).collect();
        let should = bank.letters.remove(&number).unwrap_or_default();
        compare(
            format!("letters in {number}"),
            format!("{letters:?}"),
            format!("{should:?}"),
        );
    }
    elsewhere.sort();
    bank.told_elsewhere.sort();
    compare(
        "elsewhere".to_owned(),
        format!("{elsewhere:?}"),
        format!("{:?}", bank.told_elsewhere),
    );
    let mut facts: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
    for record in broker.committed_in_topic(topics.events) {
        let key = String::from_utf8(record.key.clone().unwrap()).unwrap();
        facts.entry(key).or_default().push(fact(codecs, &record));
    }
    compare(
        "events".to_owned(),
        format!("{facts:?}"),
        format!("{:?}", bank.facts),
    );
    wrong
}

fn pairs<'t>(
    is: &'t [Told],
    should: &'t [Told],
) -> impl Iterator<Item = (Option<&'t Told>, Option<&'t Told>)> {
    (0..is.len().max(should.len())).map(|index| (is.get(index), should.get(index)))
}

fn told(record: &StoredRecord) -> Told {
    let value: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let number = |name: &str| value[name].as_i64().unwrap();
    Told {
        key: text("aggregate_id").unwrap(),
        command_id: text("command_id").unwrap(),
        code: text("code"),
        version: number("version"),
        has_event: value.get("last_version").is_some(),
        duplicate: value["duplicate"].as_bool().unwrap(),
        partition: i32::try_from(number("partition")).unwrap(),
        offset: number("offset"),
    }
}

fn letter(record: &StoredRecord) -> (String, i64) {
    let header = |name: &str| {
        let (_, value) = record
            .headers
            .iter()
            .find(|(header, _)| header == name)
            .unwrap();
        String::from_utf8(value.clone().unwrap()).unwrap()
    };
    (
        header("dead-letter-code"),
        header("dead-letter-offset").parse().unwrap(),
    )
}

fn fact(codecs: &Codecs<Account>, record: &StoredRecord) -> Fact {
    let event = codecs
        .events
        .decode(record.value.as_deref().unwrap())
        .unwrap();
    let balance = match event.payload {
        AccountEvent::AccountOpened(opened) => Some(opened.initial_balance),
        AccountEvent::MoneyDeposited(deposited) => Some(deposited.balance),
        AccountEvent::MoneyWithdrawn(withdrawn) => Some(withdrawn.balance),
        AccountEvent::MoneyRefunded(refunded) => Some(refunded.balance),
        AccountEvent::EmailAddressChanged(_)
        | AccountEvent::PasswordChanged(_)
        | AccountEvent::AccountClosed(_) => None,
    };
    Fact {
        version: event.version.get(),
        command_id: event.command_id,
        offset: event.command_offset,
        balance,
    }
}

/// A command record, looked at by itself.
struct Seen<'r> {
    record: &'r StoredRecord,
    body: Option<Value>,
    key: Option<String>,
    id_in_header: Option<String>,
    derived_id: String,
    partition: i32,
}

impl<'r> Seen<'r> {
    fn of(source: TopicPartition, record: &'r StoredRecord) -> Self {
        let value = record.value.as_deref().unwrap_or_default();
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
        let header = record.headers.iter().find(|(name, _)| name == "command-id");
        let mut seen = Self {
            record,
            body: serde_json::from_slice(value).ok(),
            key: record.key.as_ref().map(text),
            id_in_header: header.and_then(|(_, id)| id.as_ref()).map(text),
            derived_id: derived_command_id(source, record.offset, record.timestamp),
            partition: source.partition,
        };
        if seen.key.is_none() {
            seen.key = seen.field("aggregate_id");
        }
        seen
    }

    fn field(&self, name: &str) -> Option<String> {
        self.body.as_ref()?[name].as_str().map(str::to_owned)
    }

    /// The id under which it is answered, if it is.
    fn id(&self) -> Option<String> {
        let given = self.field("command_id");
        let given = given.or_else(|| self.id_in_header.clone());
        given.or_else(|| self.body.is_some().then(|| self.derived_id.clone()))
    }

    fn has_password(&self) -> bool {
        let data = self.body.as_ref().map(|body| &body["data"]);
        data.is_some_and(|data| data.get("password").is_some())
    }

    /// Why it cannot be decided.
    fn problem(&self, key: &str) -> Option<&'static str> {
        if self.has_password() {
            Some("plaintext_password")
        } else if self.record.value.as_deref().unwrap_or_default().is_empty() {
            Some("empty_command")
        } else if self.body.is_none() {
            Some("malformed_json")
        } else if self.field("type").is_some_and(|kind| kind == "Nonsense") {
            Some("unknown_command")
        } else if self.field("aggregate_id").is_some_and(|named| named != key) {
            Some("key_mismatch")
        } else {
            None
        }
    }

    fn moved(self, home: i32, key: String) -> Moved {
        let mut headers = self.record.headers.clone();
        if self.id_in_header.is_none() {
            let id = self.derived_id.into_bytes();
            headers.push(("command-id".to_owned(), Some(id)));
        }
        (home, key.into_bytes(), self.record.value.clone(), headers)
    }
}

impl Bank {
    fn take(&mut self, source: TopicPartition, record: &StoredRecord) {
        let (partition, offset) = (source.partition, record.offset);
        let seen = Seen::of(source, record);
        let Some(key) = seen.key.clone() else {
            self.set_aside(partition, "missing_key", offset);
            return;
        };
        let home = partition_of(key.as_bytes(), PARTITIONS);
        if home != partition && !seen.has_password() {
            self.moved.push(seen.moved(home, key));
            return;
        }
        let problem = seen.problem(&key);
        if let Some(code) = problem {
            self.set_aside(partition, code, offset);
        }
        let Some(command_id) = seen.id() else { return };
        let told = Told {
            key,
            command_id,
            code: problem.map(str::to_owned),
            version: 0,
            has_event: false,
            duplicate: false,
            partition,
            offset,
        };
        if home == partition {
            self.answer(told, &seen);
        } else {
            self.told_elsewhere.push(told);
        }
    }

    fn answer(&mut self, mut told: Told, seen: &Seen<'_>) {
        let (id, offset) = (told.command_id.clone(), told.offset);
        let answers = self.told.entry(seen.partition).or_default();
        let book = self.books.entry(told.key.clone()).or_default();
        let known = book.recent.iter().rev().find(|(known, _)| *known == id);
        if let Some((_, first)) = known {
            answers.push(Told {
                duplicate: true,
                ..first.clone()
            });
            return;
        }
        if told.code.is_none() {
            match book.decide(seen.body.as_ref().unwrap()) {
                Ok(balance) => {
                    book.version += 1;
                    told.has_event = true;
                    let facts = self.facts.entry(told.key.clone()).or_default();
                    facts.push(Fact {
                        version: book.version,
                        command_id: id.clone(),
                        offset,
                        balance,
                    });
                }
                Err(code) => told.code = Some(code.to_owned()),
            }
        }
        told.version = book.version;
        book.recent.push_back((id, told.clone()));
        if book.recent.len() > WINDOW {
            book.recent.pop_front();
        }
        answers.push(told);
    }

    fn set_aside(&mut self, partition: i32, code: &str, offset: i64) {
        self.letters
            .entry(partition)
            .or_default()
            .push((code.to_owned(), offset));
    }
}

impl Book {
    /// The balance after it, where the event tells one; or the code of the refusal.
    fn decide(&mut self, body: &Value) -> Result<Option<i64>, &'static str> {
        if body
            .get("expected_version")
            .is_some_and(|expected| expected.as_i64() != Some(self.version))
        {
            return Err("version_conflict");
        }
        let kind = body["type"].as_str().unwrap();
        if kind == "OpenAccount" {
            let initial = body["data"]["initial_balance"].as_i64().unwrap();
            if self.open {
                return Err("already_exists");
            }
            if initial < 0 {
                return Err("invalid_amount");
            }
            (self.open, self.balance) = (true, initial);
            return Ok(Some(initial));
        }
        if !self.open {
            return Err("not_found");
        }
        if self.closed {
            return Err("account_closed");
        }
        if kind == "CloseAccount" {
            if self.balance != 0 {
                return Err("balance_not_zero");
            }
            self.closed = true;
            return Ok(None);
        }
        let amount = body["data"]["amount"].as_i64().unwrap();
        if amount <= 0 {
            return Err("invalid_amount");
        }
        if kind == "DepositMoney" {
            self.balance += amount;
            return Ok(Some(self.balance));
        }
        if amount > self.balance {
            return Err("insufficient_funds");
        }
        self.balance -= amount;
        Ok(Some(self.balance))
    }
}
