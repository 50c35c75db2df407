//! Getting files that posy does not carry: networks and photos, by pinned address and checksum.
//!
//! | file | what it holds |
//! |---|---|
//! | `pinned.rs` | what a file to be fetched is: address, length, SHA-256 |
//! | `download.rs` | one file over HTTP: lock, resumption, checksum, placing |
//! | `http.rs` | one request and its answer |
//! | `archive.rs` | unpacking `.tar.gz` safely |
//! | `photos.rs` | collections of photos known by name |
//! | `error.rs` | what can go wrong, in words for a person |

pub mod archive;
mod download;
mod error;
mod http;
pub mod photos;
mod pinned;

pub use download::{Meter, Patience, Unwatched, download, lock};
pub use error::{FetchError, Trouble};
pub use pinned::Pinned;
