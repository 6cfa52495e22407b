//! The read-table port on ScyllaDB and Apache Cassandra.
