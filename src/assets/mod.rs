//! What is made for a match: the texts and the picture for the referee team's group.

pub mod avatar;
