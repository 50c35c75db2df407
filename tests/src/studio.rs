//! A running `posy studio`, and requests to it byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::scratch::Scratch;

/// A `posy studio`, killed at the end.
pub struct Studio {
    child: Child,
    /// The address that it printed.
    pub address: String,
    /// Its port.
    pub port: u16,
}

/// A response.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its headers as they came, names in small letters.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Response {
    /// Values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| &**value).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

impl Studio {
    /// Starts `posy studio` in the folder of `scratch`, on `port` or any (0).
    pub fn start(scratch: &Scratch, port: u16, more: &[&str]) -> Self {
        let http_port = format!("--http-port={port}");
        let mut command = scratch.command(["studio", "studio", "--no-open", &http_port]);
        command.args(more);
        Self::of(command)
    }

    /// Waits until `command`, a `posy studio`, listens.
    pub fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("posy");
        let mut address = String::new();
        let output = child.stdout.as_mut().expect("its output");
        BufReader::new(output)
            .read_line(&mut address)
            .expect("an address");
        let address = address.trim().to_owned();
        let port = address
            .strip_prefix("http://127.0.0.1:")
            .and_then(|rest| rest.split('/').next());
        let port = port.and_then(|port| port.parse().ok());
        Studio {
            child,
            port: port.unwrap_or_else(|| panic!("not an address: {address:?}")),
            address,
        }
    }

    /// Kills it, as a power failure would.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process");
        self.child.wait().expect("a process");
    }

    /// The cookie that the page would have.
    pub fn cookie(&self) -> String {
        let path = self.address.split_once("/?").expect("a query").1;
        let response = self.raw(
            &format!("GET /?{path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", self.port),
            &[],
        );
        assert_eq!(response.status, 200, "{}", response.text());
        let cookie = response.header("set-cookie")[0];
        cookie.split(';').next().expect("a pair").to_owned()
    }

    /// Sends a request of the page's own.
    pub fn ask(&self, cookie: &str, method: &str, path: &str, body: &[u8]) -> Response {
        let port = self.port;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
        );
        self.raw(&head, body)
    }

    /// Sends a request whose first lines are `head`, with their ends.
    pub fn raw(&self, head: &str, body: &[u8]) -> Response {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a server");
        let head = format!(
            "{head}Connection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(head.as_bytes())
            .expect("a server that listens");
        // It may refuse before all has come.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end =
            end.unwrap_or_else(|| panic!("no response: {:?}", String::from_utf8_lossy(&bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|status| status.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        Response {
            status: status.expect("a status"),
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    /// The state, as soon as it is as `wanted`.
    pub fn state(&self, cookie: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut version = 0;
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let response = self.ask(cookie, "GET", &format!("/api/state/{version}"), &[]);
            let json = response.json();
            version = json["version"].as_u64().expect("a number");
            if wanted(&json["state"]) {
                return json["state"].clone();
            }
            assert!(std::time::Instant::now() < end, "{json}");
        }
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
