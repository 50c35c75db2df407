//! Sizes, times, work and hashes as text, for the terminal and the report.

/// Bytes as KiB with one decimal.
pub(crate) fn kib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1024.0)
}

/// Multiply-accumulates as millions with one decimal.
pub(crate) fn millions(products: u64) -> String {
    format!("{:.1}", products as f64 / 1e6)
}

/// Milliseconds as a time in words: `320 ms`, `1.2 s`.
pub(crate) fn in_seconds(ms: u32) -> String {
    match ms {
        ..1000 => format!("{ms} ms"),
        _ => format!("{:.1} s", f64::from(ms) / 1e3),
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
