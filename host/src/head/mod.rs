//! The last layer: trainers and metrics.
