//! The host of Polkadot and Substrate chains.
