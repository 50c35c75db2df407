//! When a camera is to be set up anew.

/// How far a camera can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Not set up, or something failed that its registers may not have survived.
    Down,
    /// Set up.
    Up,
    /// Set up, and its last frame was torn.
    Suspect,
}

impl Health {
    /// What follows from a capture, where `is_torn` tells a torn frame from other failures: one
    /// torn frame may be chance, a second in a row is not, and neither is any other failure.
    pub(super) fn after<T, E>(self, taken: &Result<T, E>, is_torn: impl Fn(&E) -> bool) -> Self {
        match (taken, self) {
            (Ok(_), _) => Self::Up,
            (Err(error), Self::Up) if is_torn(error) => Self::Suspect,
            (Err(_), _) => Self::Down,
        }
    }
}
