//! A range request for the rest of a file, and its response body.

use std::io::Read;
use std::time::Duration;

use ureq::http::header::{CONTENT_RANGE, RANGE};
use ureq::{Agent, Body, Error};

use super::error::DownloadError;

/// A response: start offset and body.
pub(super) struct Answer {
    /// Offset in the file; zero if the server ignores the range.
    pub(super) start: u64,
    pub(super) body: Box<dyn Read>,
}

/// Requests `url` from byte `start` on. `body_time` is the timeout of the body.
pub(super) fn ask(
    url: &str,
    start: u64,
    connect_time: Duration,
    body_time: Duration,
) -> Result<Answer, DownloadError> {
    let config = Agent::config_builder()
        .https_only(url.starts_with("https:"))
        .http_status_as_error(false)
        .timeout_resolve(Some(connect_time))
        .timeout_connect(Some(connect_time))
        .timeout_recv_response(Some(connect_time))
        .timeout_recv_body(Some(body_time))
        .user_agent(concat!("posy/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut request = Agent::new_with_config(config).get(url);
    if start > 0 {
        request = request.header(RANGE, format!("bytes={start}-"));
    }
    let response = request.call().map_err(unreachable)?;
    let status = response.status().as_u16();
    let start = match status {
        200 => 0,
        206 if begins_at(&response, start) => start,
        // The part on disk does not fit the server's file: start over.
        206 | 416 if start > 0 => return ask(url, 0, connect_time, body_time),
        _ => return Err(DownloadError::Status(status)),
    };
    Ok(Answer {
        start,
        body: Box::new(response.into_body().into_reader()),
    })
}

/// True if a partial response states that it begins at byte `start` (RFC 9110, section 14.4).
fn begins_at(response: &ureq::http::Response<Body>, start: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE);
    range
        .and_then(|range| range.to_str().ok())
        .and_then(|range| range.strip_prefix("bytes "))
        .and_then(|range| range.split_once('-'))
        .is_some_and(|(first, _)| first.trim().parse() == Ok(start))
}

fn unreachable(error: Error) -> DownloadError {
    DownloadError::Unreachable(match error {
        Error::HostNotFound => "its name is not known here; is there a network?".into(),
        Error::Timeout(_) => "it does not answer in time".into(),
        Error::Io(error) => error.to_string(),
        other => other.to_string(),
    })
}
