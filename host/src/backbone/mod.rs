//! Pre-trained networks: reading them, and running them in floating point.

pub mod network;
