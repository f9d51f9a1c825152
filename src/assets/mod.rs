//! The pictures that are made for matches.

pub mod avatar;
