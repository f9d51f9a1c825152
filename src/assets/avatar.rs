//! Avatar placeholder until the drawing lands.

/// A club.
#[derive(Clone, Debug)]
pub struct Club {
    /// The club's id.
    pub id: Option<i64>,
    /// The team's name.
    pub name: String,
}

/// Why nothing was drawn.
#[derive(Debug, thiserror::Error)]
#[error("the avatar could not be drawn")]
pub struct AvatarError;

/// Draws.
///
/// # Errors
/// Never yet.
pub fn draw(_home: &Club, _away: &Club) -> Result<Vec<u8>, AvatarError> {
    Err(AvatarError)
}
