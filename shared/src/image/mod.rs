//! Borrowed views of camera frames and photos.
