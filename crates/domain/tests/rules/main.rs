//! The rules of every aggregate and what follows from its events, told as stories, and the form of
//! its commands; then whole conversations.

#[cfg(test)]
mod account;
#[cfg(test)]
mod bonus;
#[cfg(test)]
mod contact;
#[cfg(test)]
mod conversations;
#[cfg(test)]
mod order;
#[cfg(test)]
mod product;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod thank_you;
#[cfg(test)]
mod topics;
#[cfg(test)]
mod transfer;
#[cfg(test)]
mod user;
