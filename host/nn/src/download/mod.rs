//! Downloads networks and photos by pinned address and checksum.
//!
//! | file | contents |
//! |---|---|
//! | `pinned.rs` | a pinned file: address, length, SHA-256 |
//! | `download.rs` | one file over HTTP: lock, resumption, checksum, rename |
//! | `http.rs` | one request and its response |
//! | `archive.rs` | unpacks untrusted `.tar.gz` archives |
//! | `photos.rs` | named collections of photos |
//! | `error.rs` | errors |

pub mod archive;
mod download;
mod error;
mod http;
pub mod photos;
mod pinned;

pub use download::{Meter, Patience, Unwatched, download, lock};
pub use error::{FetchError, Trouble};
pub use pinned::Pinned;
