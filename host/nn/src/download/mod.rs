//! Downloads networks and photos by pinned address and checksum.
//!
//! | file | contents |
//! |---|---|
//! | `pinned.rs` | a pinned file: address, length, SHA-256 |
//! | `fetch.rs` | one file over HTTP: lock, resumption, checksum, rename |
//! | `http.rs` | one request and its response |
//! | `archive.rs` | unpacks untrusted `.tar.gz` archives |
//! | `photos.rs` | named collections of photos |
//! | `error.rs` | errors |

pub mod archive;
mod error;
mod fetch;
mod http;
pub mod photos;
mod pinned;

pub use error::{DownloadError, FetchError};
pub use fetch::{NoProgress, ProgressSink, RetryPolicy, download, lock};
pub use pinned::Pinned;
