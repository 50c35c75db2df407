//! Download addresses of networks, and their published accuracy.

use std::path::{Path, PathBuf};

use super::{Architecture, Version};
use crate::download::archive::{self, ArchiveError, Limits};
use crate::download::{
    DownloadError, FetchError, Pinned, ProgressSink, RetryPolicy, download, lock,
};

/// Download address of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, or an archive that contains it.
    pub file: Pinned,
    /// Path in the archive, if it is one.
    pub member: Option<&'static str>,
}

/// Failure to fetch a network.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The download failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The archive cannot be used.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The network's file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}

impl SourceError {
    /// Cause of a failed download; `None` for other failures.
    pub fn download_error(&self) -> Option<&DownloadError> {
        match self {
            SourceError::Fetch(error) => Some(&error.cause),
            _ => None,
        }
    }
}

impl Source {
    /// Fetches the network's file to `target` unless it is there.
    ///
    /// # Errors
    /// [`SourceError`]; `target` does not exist then.
    pub fn fetch(
        &self,
        target: &Path,
        retries: &RetryPolicy,
        progress: &dyn ProgressSink,
    ) -> Result<(), SourceError> {
        let Some(member) = self.member else {
            return Ok(download(&self.file, target, retries, progress)?);
        };
        // Locked to the end: a second process then finds the network, not an archive about to be
        // removed.
        let _locked = lock(target, progress).map_err(|cause| FetchError {
            url: self.file.address(),
            target: target.to_owned(),
            cause,
        })?;
        if target.is_file() {
            return Ok(());
        }
        let packed = target.with_extension("tgz");
        download(&self.file, &packed, retries, progress)?;
        let bytes = archive::member(&packed, member, &Limits::default())?;
        crate::atomic::write(target, &bytes).map_err(|source| SourceError::Write {
            path: target.to_owned(),
            source,
        })?;
        // The archive holds checkpoints of no use here, many times the network's size.
        let _ = std::fs::remove_file(&packed);
        Ok(())
    }
}

/// Files of a public repository, at one commit.
macro_rules! unpacked {
    ($name:literal, $len:literal, $sha256:literal) => {
        Source {
            file: Pinned {
                url: concat!(
                    "https://raw.githubusercontent.com/GreenWaves-Technologies/mobilenet/",
                    "2286ae4cb8ff46a5a0612e5c2dd7023f6ac3d5ec/models/",
                    $name
                ),
                sha256: $sha256,
                len: Some($len),
            },
            member: None,
        }
    };
}

/// The official archives; their checksums are those in the recipe for TensorFlow Lite's models in a
/// Yocto layer for embedded Linux.
macro_rules! packed {
    ($name:literal, $sha256:literal) => {
        Source {
            file: Pinned {
                url: concat!(
                    "https://storage.googleapis.com/download.tensorflow.org/models/",
                    "mobilenet_v1_2018_08_02/",
                    $name,
                    ".tgz"
                ),
                sha256: $sha256,
                len: None,
            },
            member: Some(concat!($name, ".tflite")),
        }
    };
}

type Row = ((Version, u16, u16), Source);

/// Version, width in percent and size of the networks whose files have a pinned checksum.
#[rustfmt::skip]
const SOURCES: [Row; 31] = [
    ((Version::V1, 25, 128), unpacked!("mobilenet_v1_0_25_128_quant.tflite", 497264, "3799e7cdb3ec44beacaf47ef5c884111c919e51bb50b34ac836244b08d4b953b")),
    ((Version::V1, 25, 160), unpacked!("mobilenet_v1_0_25_160_quant.tflite", 497264, "97f3e6517d02dfdd844ab307857f785cad0ff8d22be9b57d44fbc3e0fc919908")),
    ((Version::V1, 25, 192), unpacked!("mobilenet_v1_0_25_192_quant.tflite", 497264, "f80999b6324c6f101300c3ee38fbe7e11e74a743b5e0be7350602087fe7430a3")),
    ((Version::V1, 25, 224), unpacked!("mobilenet_v1_0_25_224_quant.tflite", 497264, "ce8f61fe3e4e29560c4ea8038e4b91eb354be330fc428348b9645bd1e7de03bf")),
    ((Version::V1, 50, 128), unpacked!("mobilenet_v1_0_5_128_quant.tflite", 1364512, "98218c930437d5d618f67cf8ac05e7cae838962479a0f1caac5fd1304a164428")),
    ((Version::V1, 50, 160), unpacked!("mobilenet_v1_0_5_160_quant.tflite", 1364512, "1a2c4e38428658475e447d9dfe696149d59bd57db714e8b028971173017ae076")),
    ((Version::V1, 50, 192), unpacked!("mobilenet_v1_0_5_192_quant.tflite", 1364512, "b0e9c14692a1c967112edd5d3c16fa24e2698b2c14dc2fd8d6932fc6728d5d2a")),
    ((Version::V1, 50, 224), unpacked!("mobilenet_v1_0_5_224_quant.tflite", 1364512, "b14dcdda08a2a8746977ef312504b86e4205c10508de5b50816fd380f6a679db")),
    ((Version::V1, 75, 128), unpacked!("mobilenet_v1_0_75_128_quant.tflite", 2624208, "a4608be6a9401fb7e4b77ff2a2998cfeccf8deb06dd50be9f536c75157f2c980")),
    ((Version::V1, 75, 160), unpacked!("mobilenet_v1_0_75_160_quant.tflite", 2624208, "54199ac68e4918bde69c12da8686fe5bfa983c8b1c865b3e03d45ad5d2f97948")),
    ((Version::V1, 75, 192), unpacked!("mobilenet_v1_0_75_192_quant.tflite", 2624208, "ab1c6c59d5fa1cdc23afea00f57814056370583844d5cf3736ec142ba304d463")),
    ((Version::V1, 75, 224), unpacked!("mobilenet_v1_0_75_224_quant.tflite", 2624208, "c840ef6d6284a744a4b7c29c9fca0e66b71a20ea55ce1c8a705d2cfe11190eb6")),
    ((Version::V1, 100, 128), packed!("mobilenet_v1_1.0_128_quant", "29aec24c721329b83ff667195431ff9151362ba1854dfc8852d03aef5ac40def")),
    ((Version::V1, 100, 160), packed!("mobilenet_v1_1.0_160_quant", "b5c9da0d5215a1c1faab313f88ba0a900ac199c7af45f559ab65c63b0649bee1")),
    ((Version::V1, 100, 192), packed!("mobilenet_v1_1.0_192_quant", "b87b20c784e756fb52e265cc31fbea5b3236c9a001205bc24ed27985875b4559")),
    ((Version::V1, 100, 224), packed!("mobilenet_v1_1.0_224_quant", "d32432d28673a936b2d6281ab0600c71cf7226dfe4cdcef3012555f691744166")),
    ((Version::V2, 50, 96), unpacked!("mobilenet_v2_0_5_96_quant.tflite", 2026248, "bcf203e2c23b494fd264bd58017c980cb77a934b467dedbf39122a121fa0c35a")),
    ((Version::V2, 50, 128), unpacked!("mobilenet_v2_0_5_128_quant.tflite", 2026248, "bdeefb9972c1fa7fbca790138da27907768159253432e91d869dd6e8623bb7a9")),
    ((Version::V2, 50, 160), unpacked!("mobilenet_v2_0_5_160_quant.tflite", 2026248, "630c34e9f924e20a88ae24db2f3894feb473840011330f34c1123d18a29a93f5")),
    ((Version::V2, 50, 192), unpacked!("mobilenet_v2_0_5_192_quant.tflite", 2026248, "6a21216d9701f374ff3ee829f720a0fd194b0e626b16a4f382e0674dcdaabdeb")),
    ((Version::V2, 50, 224), unpacked!("mobilenet_v2_0_5_224_quant.tflite", 2026248, "3f042414f7630f8ea6fe615b824f9ed2908a1280450304b64eee620f920bca2e")),
    ((Version::V2, 75, 96), unpacked!("mobilenet_v2_0_75_96_quant.tflite", 2702088, "7ffa6cddb3dfcef35bab2d66a4139376d1092154f73e79ce55505048b66881f2")),
    ((Version::V2, 75, 128), unpacked!("mobilenet_v2_0_75_128_quant.tflite", 2702088, "09b4b09f0848886659023354d658cccca31549cda7495c6cd3cda11e2a290cc3")),
    ((Version::V2, 75, 160), unpacked!("mobilenet_v2_0_75_160_quant.tflite", 2702088, "5242af6422d3fd19a56d42c9718ddb0ebc725c954f7cb9ad8768dfc5d24d8cdb")),
    ((Version::V2, 75, 192), unpacked!("mobilenet_v2_0_75_192_quant.tflite", 2702088, "d95bb99e865cd011f3700869d4ec7957b56de43f8e515c2a551364f7dafe4452")),
    ((Version::V2, 75, 224), unpacked!("mobilenet_v2_0_75_224_quant.tflite", 2702088, "6469529123863753b591740223d88b04b07c336a26a101f6362b4d95e11a08e0")),
    ((Version::V2, 100, 96), unpacked!("mobilenet_v2_1_0_96_quant.tflite", 3578008, "d5e5b44aa49118af46d791e87f489274e620e99517d692f143f004761dc393a0")),
    ((Version::V2, 100, 128), unpacked!("mobilenet_v2_1_0_128_quant.tflite", 3578008, "0069075b7f6e0f809cbd100a74796da835f03f66fdee3584b097c2ec421c8ec1")),
    ((Version::V2, 100, 160), unpacked!("mobilenet_v2_1_0_160_quant.tflite", 3578008, "67b9c1ac37d022a19c976b2cf0dc7441d4d042807be1d48f4806014eae6f8628")),
    ((Version::V2, 100, 192), unpacked!("mobilenet_v2_1_0_192_quant.tflite", 3578008, "55102287656e850607e2c9e5f4ab070673e226ee3168049ebc7e411b877842cd")),
    ((Version::V2, 100, 224), unpacked!("mobilenet_v2_1_0_224_quant.tflite", 3578008, "558b8bb64a2420455a356ea2e105455209556ae850b176275a88b51129d3c13f")),
];

/// True if a file of this SHA-256 is a network that posy fetches as it is.
pub fn is_pinned(sha256: &[u8; 32]) -> bool {
    let digits: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut plain = SOURCES.iter().filter(|(_, source)| source.member.is_none());
    plain.any(|(_, source)| source.file.sha256 == digits)
}

impl Architecture {
    fn key(&self) -> (Version, u16, u16) {
        (self.version, self.width_percent, self.size)
    }

    /// Download address of this network's quantised file, if known.
    pub fn source(&self) -> Option<Source> {
        let row = SOURCES.iter().find(|(key, _)| *key == self.key());
        row.map(|(_, source)| *source)
    }

    /// Top-1 accuracy of the float network on ImageNet's validation set (ILSVRC-2012), percent, as
    /// published in TensorFlow's model garden (`research/slim/nets/mobilenet_v1.md` and
    /// `mobilenet/README.md`).
    pub fn imagenet_top1(&self) -> Option<f32> {
        let row = IMAGENET.iter().find(|(key, _)| *key == self.key());
        row.map(|(_, percent)| *percent)
    }
}

#[rustfmt::skip]
const IMAGENET: [((Version, u16, u16), f32); 38] = [
    ((Version::V1, 25, 128), 41.5),
    ((Version::V1, 25, 160), 45.5),
    ((Version::V1, 25, 192), 47.7),
    ((Version::V1, 25, 224), 49.8),
    ((Version::V1, 50, 128), 56.3),
    ((Version::V1, 50, 160), 59.1),
    ((Version::V1, 50, 192), 61.7),
    ((Version::V1, 50, 224), 63.3),
    ((Version::V1, 75, 128), 62.1),
    ((Version::V1, 75, 160), 65.3),
    ((Version::V1, 75, 192), 67.2),
    ((Version::V1, 75, 224), 68.4),
    ((Version::V1, 100, 128), 65.2),
    ((Version::V1, 100, 160), 68.0),
    ((Version::V1, 100, 192), 70.0),
    ((Version::V1, 100, 224), 70.9),
    ((Version::V2, 35, 96), 45.5),
    ((Version::V2, 35, 128), 50.8),
    ((Version::V2, 35, 160), 55.7),
    ((Version::V2, 35, 192), 58.2),
    ((Version::V2, 35, 224), 60.3),
    ((Version::V2, 50, 96), 51.2),
    ((Version::V2, 50, 128), 57.7),
    ((Version::V2, 50, 160), 61.0),
    ((Version::V2, 50, 192), 63.9),
    ((Version::V2, 50, 224), 65.4),
    ((Version::V2, 75, 96), 58.8),
    ((Version::V2, 75, 128), 63.2),
    ((Version::V2, 75, 160), 66.4),
    ((Version::V2, 75, 192), 68.7),
    ((Version::V2, 75, 224), 69.8),
    ((Version::V2, 100, 96), 60.3),
    ((Version::V2, 100, 128), 65.3),
    ((Version::V2, 100, 160), 68.8),
    ((Version::V2, 100, 192), 70.7),
    ((Version::V2, 100, 224), 71.8),
    ((Version::V2, 130, 224), 74.4),
    ((Version::V2, 140, 224), 75.0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_of_the_codelab_can_be_had() {
        for architecture in Architecture::all_v1() {
            assert!(architecture.source().is_some(), "{architecture}");
            assert!(architecture.imagenet_top1().is_some(), "{architecture}");
        }
    }

    #[test]
    fn sources_are_pinned_and_each_of_its_own() {
        let mut sums: Vec<&str> = SOURCES
            .iter()
            .map(|(_, source)| source.file.sha256)
            .collect();
        for (key, source) in &SOURCES {
            let file = &source.file;
            assert!(file.url.starts_with("https://"), "{key:?}");
            let digits = file.sha256.chars();
            assert!(file.sha256.len() == 64 && digits.clone().all(|c| c.is_ascii_hexdigit()));
            assert!(digits.clone().all(|c| !c.is_ascii_uppercase()));
        }
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(sums.len(), SOURCES.len());
    }
}
