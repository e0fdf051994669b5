//! tcpdump text of every age.
