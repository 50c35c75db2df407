//! An HTTP server for one file that misbehaves on demand.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Manner of answering a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Correct HTTP, ranges included.
    Well,
    /// Ignores ranges and sends the whole file.
    Whole,
    /// Closes the connection after this many bytes of the body.
    CutAfter(usize),
    /// Stalls after this many bytes of the body.
    StallAfter(usize),
    /// Answers with a status and a short text.
    Status(u16),
    /// Sends the file with one wrong byte.
    Flipped,
    /// Sends extra bytes after the file.
    Longer,
    /// Sends another range than requested.
    WrongRange,
    /// Sends the body in this many pieces with a pause before each.
    Slow(usize),
}

/// A server on a free port, until the test ends.
pub struct Server {
    /// `http://127.0.0.1:port`.
    pub address: String,
    requests: Arc<Mutex<Vec<String>>>,
    served: Arc<AtomicUsize>,
}

impl Server {
    /// Serves `file` under every path: each request in the next of `manners`, further ones in the
    /// last.
    pub fn start(file: Vec<u8>, manners: &[Manner]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let served = Arc::new(AtomicUsize::new(0));
        let (heard, count, manners) = (requests.clone(), served.clone(), manners.to_vec());
        let file = Arc::new(file);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let index = count.fetch_add(1, Ordering::SeqCst);
                let manner = manners[index.min(manners.len() - 1)];
                let (file, heard) = (file.clone(), heard.clone());
                // A client that hangs up is no error.
                thread::spawn(move || answer(stream, &file, manner, &heard));
            }
        });
        Server {
            address,
            requests,
            served,
        }
    }

    /// Number of connections so far.
    pub fn count(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    /// Request headers so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests
            .lock()
            .expect("no panic in the server")
            .clone()
    }
}

fn answer(
    mut stream: TcpStream,
    file: &[u8],
    manner: Manner,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while reader.read_line(&mut head)? > 2 {}
    let range = head.lines().find_map(|line| {
        let line = line.to_lowercase();
        let start = line.strip_prefix("range: bytes=")?.strip_suffix('-')?;
        start.parse::<usize>().ok()
    });
    if let Ok(mut heard) = heard.lock() {
        heard.push(head);
    }
    if let Manner::Status(status) = manner {
        let text = "no such thing";
        let len = text.len();
        return write!(
            stream,
            "HTTP/1.1 {status} Sorry\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{text}"
        );
    }
    let mut body = file.to_vec();
    match manner {
        Manner::Flipped => body[file.len() / 2] ^= 1,
        Manner::Longer => body.extend_from_slice(b"and more"),
        _ => {}
    }
    let len = body.len();
    let start = match range {
        Some(start) if manner != Manner::Whole && start < len => {
            let told = start + usize::from(manner == Manner::WrongRange);
            write!(stream, "HTTP/1.1 206 Partial Content\r\n")?;
            write!(stream, "Content-Range: bytes {told}-{}/{len}\r\n", len - 1)?;
            start
        }
        Some(start) if manner != Manner::Whole && start >= len => {
            return write!(stream, "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n");
        }
        _ => {
            write!(stream, "HTTP/1.1 200 OK\r\n")?;
            0
        }
    };
    let body = &body[start..];
    let len = body.len();
    write!(stream, "Content-Length: {len}\r\nConnection: close\r\n\r\n")?;
    match manner {
        Manner::CutAfter(bytes) => stream.write_all(&body[..bytes.min(len)]),
        Manner::StallAfter(bytes) => {
            stream.write_all(&body[..bytes.min(len)])?;
            thread::sleep(Duration::from_secs(60));
            Ok(())
        }
        Manner::Slow(pieces) => {
            for piece in body.chunks(len.div_ceil(pieces)) {
                thread::sleep(Duration::from_millis(100));
                stream.write_all(piece)?;
            }
            Ok(())
        }
        _ => stream.write_all(body),
    }
}
