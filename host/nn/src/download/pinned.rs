//! Pinned files.

/// A file pinned by its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Address.
    pub url: &'static str,
    /// SHA-256, 64 hexadecimal digits in lower case.
    pub sha256: &'static str,
    /// Length in bytes, if known.
    pub len: Option<u64>,
}

impl Pinned {
    /// Maximum length of a file of unknown length, bytes.
    const BOUND: u64 = 512 << 20;

    /// Maximum number of bytes to accept.
    pub fn bound(&self) -> u64 {
        self.len.unwrap_or(Self::BOUND)
    }

    /// Address to request: the file's own, or the same path on the server in `POSY_MIRROR`
    /// (`http://server:port`), for networks that cannot reach the origin. The checksum holds for
    /// both.
    pub fn address(&self) -> String {
        match std::env::var("POSY_MIRROR") {
            Ok(mirror) if !mirror.is_empty() => on_mirror(self.url, &mirror),
            _ => self.url.to_owned(),
        }
    }
}

/// `url` with the mirror's scheme and host.
fn on_mirror(url: &str, mirror: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    format!("{}/{path}", mirror.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_keeps_the_path() {
        let url = "https://host.example/a/b.tflite";
        assert_eq!(
            on_mirror(url, "http://127.0.0.1:80/"),
            "http://127.0.0.1:80/a/b.tflite"
        );
    }
}
