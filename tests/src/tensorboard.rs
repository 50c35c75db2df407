//! The real TensorBoard, in a virtual environment that `tests/run.sh` creates.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Timeout of the server's start, and of a response.
const PATIENCE: Duration = Duration::from_secs(90);

/// The executables of TensorBoard.
pub struct Tensorboard {
    bin: PathBuf,
}

impl Tensorboard {
    /// Finds it. Prints that `test` is skipped if it is missing.
    pub fn find(test: &str) -> Option<Self> {
        let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/tensorboard/bin");
        if bin.join("tensorboard").is_file() {
            return Some(Tensorboard { bin });
        }
        eprintln!(
            "SKIPPED: {test}: no TensorBoard at {}; tests/run.sh installs it",
            bin.display()
        );
        None
    }

    /// Content of the event files below `folder`, by TensorBoard's accumulator: see
    /// `tests/tensorboard/read.py`.
    pub fn read(&self, folder: &Path) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tensorboard/read.py");
        let output = Command::new(self.bin.join("python"))
            .arg(script)
            .arg(folder)
            .output()
            .expect("Python");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
    }

    /// Starts a server for the files below `folder`, on a free port.
    pub fn serve(&self, folder: &Path) -> Server {
        let mut child = Command::new(self.bin.join("tensorboard"))
            .arg("--logdir")
            .arg(folder)
            .args([
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--reload_interval",
                "1",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("TensorBoard");
        let lines = BufReader::new(child.stderr.take().expect("its standard error"));
        let (sender, receiver) = channel();
        // Drains the output, so that the server never blocks on it.
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let address = line.split("http://").nth(1);
                let address = address.and_then(|rest| rest.split('/').next());
                let _ = sender.send((line.clone(), address.map(str::to_owned)));
            }
        });
        // From here on the server is killed when this value is dropped.
        let mut server = Server {
            child,
            address: String::new(),
        };
        let begun = Instant::now();
        let mut said = String::new();
        while server.address.is_empty() {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            match receiver.recv_timeout(left) {
                Ok((_, Some(address))) if address.starts_with("127.") => server.address = address,
                Ok((line, _)) => said += &(line + "\n"),
                Err(error) => panic!("no server: {error}\n{said}"),
            }
        }
        server
    }
}

/// A running server.
pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Requests `path` until `good` accepts the JSON response.
    pub fn ask<T>(&self, path: &str, good: impl Fn(&Value) -> Option<T>) -> T {
        self.request(&format!("GET /{path} HTTP/1.0\r\n"), "", good)
    }

    /// As [`Server::ask`], for a request with a JSON body.
    pub fn post<T>(&self, path: &str, body: &Value, good: impl Fn(&Value) -> Option<T>) -> T {
        let body = body.to_string();
        let head = format!(
            "POST /{path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        self.request(&head, &body, good)
    }

    fn request<T>(&self, head: &str, body: &str, good: impl Fn(&Value) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let answer = self.try_request(head, body);
            let answer = answer.unwrap_or_else(|error| error.to_string());
            let json = answer.split("\r\n\r\n").nth(1);
            let json = json.and_then(|json| serde_json::from_str(json).ok());
            if let Some(found) = json.as_ref().and_then(&good) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{head}{answer}");
            thread::sleep(Duration::from_millis(300));
        }
    }

    fn try_request(&self, head: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "{head}Host: {}\r\n\r\n{body}", self.address)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
