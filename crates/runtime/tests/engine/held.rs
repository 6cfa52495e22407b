//! Records behind one that waits.

mod gate;
mod handing_over;
mod waiting;
