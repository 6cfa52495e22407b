//! Given/when/then, in-memory log and tables with faults, history checks.
