//! Where things are delivered and how far a delivery has come.

crate::labels! {
    /// A way out of the program. Order is kept per (destination, match).
    Destination {
        /// The texts of a match, to the store of files.
        Assets => "assets",
        /// The avatar of a match: made first, then put beside the texts. A destination of its own,
        /// because making one can take minutes and must not hold up the texts.
        Avatars => "avatars",
    }
}

crate::labels! {
    /// How far an entry of the outbox has come.
    DeliveryState {
        /// Waits for its first or next attempt.
        Pending => "pending",
        /// An attempt is under way.
        Running => "running",
        /// Done.
        Delivered => "delivered",
        /// A newer state of the same thing took its place before it was delivered.
        Superseded => "superseded",
        /// Given up; a person can retry it.
        Dead => "dead",
    }
}
