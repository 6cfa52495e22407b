//! The rules of every aggregate, told as stories, and the form of its commands.

#[cfg(test)]
mod account;
