//! `lithify bench`.
