//! Nothing: the benchmark is in the crate that `integrations/bench` unpacks.
