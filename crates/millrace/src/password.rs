//! Passwords never go into a record: only their hashes do.

use anyhow::anyhow;
use argon2::Argon2;
use argon2::password_hash::PasswordHasher;

/// An argon2id hash as a PHC string, with a random salt.
///
/// # Errors
/// When the password is longer than argon2 takes.
pub(crate) fn hash(password: &str) -> anyhow::Result<String> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow!("cannot hash the password: {error}"))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier;
    use argon2::password_hash::phc::PasswordHash;

    use super::*;

    #[test]
    fn a_hash_verifies_its_password_and_no_other() {
        let hash = hash("$ThisIsMyPassword1").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let parsed = PasswordHash::new(&hash).unwrap();
        let verifies = |password: &str| {
            Argon2::default()
                .verify_password(password.as_bytes(), &parsed)
                .is_ok()
        };
        assert!(verifies("$ThisIsMyPassword1"));
        assert!(!verifies("$ThisIsMyPassword1\n"));
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(hash("x").unwrap(), hash("x").unwrap());
    }
}
