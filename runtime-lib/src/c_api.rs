//! The C interface, described in `include/lithify.h`.
