//! Sizes, work and hashes as text, for the terminal and the report.

/// Bytes as KiB with one decimal.
pub(crate) fn kib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1024.0)
}

/// Multiply-accumulates as millions with one decimal.
pub(crate) fn millions(products: u64) -> String {
    format!("{:.1}", products as f64 / 1e6)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
