//! Named collections of photos.

use super::Pinned;

/// A collection of photos for download.
#[derive(Clone, Copy, Debug)]
pub struct Collection {
    /// Name on the command line.
    pub name: &'static str,
    /// One-line description.
    pub about: &'static str,
    /// Top folder in the archive.
    pub folder: &'static str,
    /// The archive, a `.tar.gz`.
    pub archive: Pinned,
}

/// All collections. The flowers' checksum is the one in TensorFlow Datasets (`tf_flowers`).
pub const COLLECTIONS: [Collection; 1] = [Collection {
    name: "flowers",
    about: "the codelab's 3,670 photos of five flowers, CC-BY 2.0, 229 MB",
    folder: "flower_photos",
    archive: Pinned {
        url: "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
        sha256: "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
        len: Some(228_813_984),
    },
}];
