//! Engine and projector as machines without I/O, with the ports they need.
