//! Files that cannot be used, and who may work on one.

use std::error::Error;
use std::fs;
use std::path::Path;

use futures::executor::block_on;
use millrace_embedded::{
    ClaimError, Database, EmbeddedLog, EmbeddedStore, JoinError, OpenError, Role,
};
use millrace_runtime::store::ReadStore;
use millrace_runtime::topic::Topic;
use rusqlite::Connection;

use crate::bench::{File, quick};

fn refused(dir: &Path) -> OpenError {
    let error = Database::open_with(dir, quick()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&dir.display().to_string()), "{text}");
    error
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere");
    assert!(matches!(refused(&missing), OpenError::NoDirectory { .. }));
    assert!(!missing.exists());
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("millrace.db");
    fs::write(
        &path,
        "no database at all, but a text of some length ".repeat(100),
    )
    .unwrap();
    assert!(matches!(
        refused(dir.path()),
        OpenError::NotADatabase { .. }
    ));

    fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::Foreign { .. }));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_of_a_later_release_is_refused_with_both_versions() {
    let dir = tempfile::tempdir().unwrap();
    drop(Database::open_with(dir.path(), quick()).unwrap());
    let later = Connection::open(dir.path().join("millrace.db")).unwrap();
    later.pragma_update(None, "user_version", 99).unwrap();
    drop(later);
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Newer { found: 99, .. }));
    assert!(error.to_string().contains("too old"), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    // Nobody makes files there, not even a superuser.
    let dir = Path::new("/proc");
    if !dir.is_dir() {
        return;
    }
    let error = refused(dir);
    assert!(error.source().is_some(), "{error}");

    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("millrace.db")).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::Database { .. }));
}

#[test]
fn one_at_a_time_works_and_the_other_is_told_who() {
    let file = File::new();
    file.database.claim().unwrap();
    let second = Database::open_with(file.path(), quick()).unwrap();
    let error = second.claim().unwrap_err();
    assert!(matches!(error, ClaimError::Held { .. }));
    let text = error.to_string();
    assert!(text.contains("millrace.lock"), "{text}");
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    let joined = EmbeddedLog::open(&second, "g", &[], Role::Reader);
    assert!(matches!(joined, Err(JoinError::NotClaimed)));
    drop(file.database);
    second.claim().unwrap();
    let topic = Topic::new("missing");
    let joined = EmbeddedLog::open(&second, "g", &[topic], Role::Reader);
    assert!(matches!(joined, Err(JoinError::NoSuchTopic(name)) if name == "missing"));
}

#[test]
fn a_database_that_is_closed_leaves_nothing_open_that_could_harm_the_next_one_there() {
    for _ in 0..20 {
        let file = File::new();
        let topic = file.topic("t", 1, &[]);
        let worker = file.worker("g", &[topic]);
        let store = EmbeddedStore::new(&file.database);
        let progress = block_on(store.progress("bank", "accounts"));
        assert!(
            progress.is_err(),
            "there is no table, and a thread that looked"
        );
        let dir = file.dir;
        drop((file.database, store));
        assert!(dir.path().join("millrace.db-wal").exists());
        drop(worker);
        // The last connection takes it along.
        assert!(!dir.path().join("millrace.db-wal").exists());
    }
}
