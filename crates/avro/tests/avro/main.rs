//! The wire format against the reference implementation, hostile bytes and older schemas.

#[cfg(test)]
mod account;
#[cfg(test)]
mod codec;
#[cfg(test)]
mod compatibility;
#[cfg(test)]
mod evolution;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod published;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod resolution;
