//! Everything that the program shows of itself: metrics, spans and log lines.

pub mod family;
pub mod labels;
pub mod metrics;
