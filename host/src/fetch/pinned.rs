//! What a file to be fetched is.

/// A file whose every byte is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Where it lies.
    pub url: &'static str,
    /// Its SHA-256, 64 hexadecimal digits in lower case.
    pub sha256: &'static str,
    /// Its length in bytes, where it is known.
    pub len: Option<u64>,
}

impl Pinned {
    /// More bytes than this are not taken for a file whose length is unknown.
    const BOUND: u64 = 512 << 20;

    /// The most bytes that are taken.
    pub fn bound(&self) -> u64 {
        self.len.unwrap_or(Self::BOUND)
    }

    /// The address to ask: its own, or the same path on the server that `POSY_MIRROR` names
    /// (`http://server:port`), for places without a way to the origin. The checksum holds for
    /// both.
    pub fn address(&self) -> String {
        match std::env::var("POSY_MIRROR") {
            Ok(mirror) if !mirror.is_empty() => on_mirror(self.url, &mirror),
            _ => self.url.to_owned(),
        }
    }
}

/// `url` with another scheme and host.
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
