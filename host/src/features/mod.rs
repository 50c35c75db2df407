//! Features of photos, computed in parallel and cached by content.
