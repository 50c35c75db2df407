//! Headless Chromium, driven by the Chrome DevTools Protocol over a pipe.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Names of Chromium's executable.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Timeout of a response; the first start on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(90);

/// A browser with one page.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last_id: u64,
    /// Events received so far.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser. Prints that `test` is skipped if there is none.
    pub fn start(test: &str) -> Option<Self> {
        Self::start_with(test, &[])
    }

    /// Starts a browser whose webcam plays the file `mjpeg` over and over, and may be used by every page.
    pub fn with_webcam(test: &str, mjpeg: &Path) -> Option<Self> {
        let file = format!("--use-file-for-fake-video-capture={}", mjpeg.display());
        let devices = "--use-fake-device-for-media-stream".to_owned();
        Self::start_with(
            test,
            &[devices, "--use-fake-ui-for-media-stream".to_owned(), file],
        )
    }

    /// [`Browser::start`] with further arguments.
    pub fn start_with(test: &str, arguments: &[String]) -> Option<Self> {
        let is_there = |name: &&&str| {
            let mut version = Command::new(name);
            version.arg("--version").stdin(Stdio::null());
            version.output().is_ok_and(|output| output.status.success())
        };
        let Some(name) = NAMES.iter().find(is_there) else {
            eprintln!("SKIPPED: {test}: no Chromium: install the package chromium");
            return None;
        };
        let profile = TempDir::with_prefix("posy-browser-").expect("a temporary folder");
        // The protocol uses descriptors 3 and 4; a shell maps stdin and stdout to them.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>&2", name])
            .args([
                "--headless",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(arguments)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("JSON from the browser");
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Browser {
            child,
            input,
            messages,
            session: None,
            last_id: 0,
            events: Vec::new(),
            _profile: profile,
        };
        browser.new_tab();
        Some(browser)
    }

    /// Opens an empty tab, which is the one that is driven from now on; returns the one before.
    pub fn new_tab(&mut self) -> Option<String> {
        let before = self.session.take();
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call("Target.attachToTarget", target);
        self.session = Some(session["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        before
    }

    /// Drives another tab, which [`Browser::new_tab`] returned, and brings it to the front.
    pub fn switch(&mut self, tab: Option<String>) -> Option<String> {
        let before = std::mem::replace(&mut self.session, tab);
        self.call("Page.bringToFront", json!({}));
        before
    }

    /// Forgets what was reported so far; returns the problems among it.
    pub fn forget(&mut self) -> Vec<String> {
        let complaints = self.complaints();
        self.events.clear();
        complaints
    }

    /// Calls a method of the protocol and returns its result.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input
            .write_all(&bytes)
            .expect("a browser that listens");
        let id = self.last_id;
        let answer = self.wait_for(method, |message| message["id"] == id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Waits for the first `wanted` message; other messages are kept as events.
    fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(message) if wanted(&message) => return message,
                Ok(message) => self.events.push(message),
                Err(RecvTimeoutError::Timeout) => panic!("{what}: no answer of the browser"),
                Err(error) => panic!("{what}: the browser is gone: {error}"),
            }
        }
    }

    /// Emulates a window of `width` x `height`, of a phone or not, with the colour scheme `light`
    /// or `dark`.
    pub fn look_like(&mut self, width: u32, height: u32, phone: bool, scheme: &str) {
        let metrics = json!({
            "width": width, "height": height, "mobile": phone,
            "deviceScaleFactor": if phone { 2 } else { 1 },
        });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let touch = json!({"enabled": phone});
        self.call("Emulation.setTouchEmulationEnabled", touch);
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [feature]}));
    }

    /// Opens a file and waits until it is loaded.
    pub fn open(&mut self, path: &Path) {
        self.open_url(&format!("file://{}", path.display()));
    }

    /// Opens an address, and waits until it has loaded.
    pub fn open_url(&mut self, url: &str) {
        // Of a page before this one.
        self.events
            .retain(|message| message["method"] != "Page.loadEventFired");
        let answer = self.call("Page.navigate", json!({"url": url}));
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
        let loaded = |message: &Value| message["method"] == "Page.loadEventFired";
        if !self.events.iter().any(loaded) {
            let event = self.wait_for("load", loaded);
            self.events.push(event);
        }
    }

    /// Evaluates a JavaScript expression; promises are awaited.
    #[track_caller]
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let answer = self.call("Runtime.evaluate", parameters);
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Centre of the element of `expression`, after scrolling it into view.
    fn place_of(&mut self, expression: &str) -> (f64, f64) {
        let place = self.evaluate(&format!(
            "(() => {{ const element = {expression}; element.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
             const box = element.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        let number = |at: usize| place[at].as_f64().expect("a place");
        (number(0), number(1))
    }

    /// Clicks the element of `expression` with the mouse.
    pub fn click(&mut self, expression: &str) {
        let (x, y) = self.place_of(expression);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Holds the mouse down on the element of `expression` for `time`.
    pub fn hold(&mut self, expression: &str, time: Duration) {
        let (x, y) = self.place_of(expression);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
            if kind == "mousePressed" {
                thread::sleep(time);
            }
        }
    }

    /// Taps the element of `expression`.
    pub fn tap(&mut self, expression: &str) {
        let (x, y) = self.place_of(expression);
        for (kind, points) in [
            ("touchStart", json!([{"x": x, "y": y}])),
            ("touchEnd", json!([])),
        ] {
            let event = json!({"type": kind, "touchPoints": points});
            self.call("Input.dispatchTouchEvent", event);
        }
    }

    /// Presses a key: `Enter`, `Escape`, `Tab`.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            _ => (9, ""),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Chooses a file for the `input` that the selector finds, as a person does in a dialogue.
    pub fn choose(&mut self, selector: &str, file: &Path) {
        let document = self.call("DOM.getDocument", json!({}));
        let node = json!({"nodeId": document["root"]["nodeId"], "selector": selector});
        let node = self.call("DOM.querySelector", node);
        let files = json!({"nodeId": node["nodeId"], "files": [file.display().to_string()]});
        self.call("DOM.setFileInputFiles", files);
    }

    /// Drops a file on the element of `expression`, as a person drags it there from a folder.
    pub fn drop_file(&mut self, expression: &str, file: &Path) {
        let (x, y) = self.place_of(expression);
        let files = [file.display().to_string()];
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({"items": [], "files": files, "dragOperationsMask": 1});
            let event = json!({"type": kind, "x": x, "y": y, "data": data});
            self.call("Input.dispatchDragEvent", event);
        }
    }

    /// Waits until an expression of JavaScript is true.
    #[track_caller]
    pub fn wait_until(&mut self, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.evaluate(expression) != true {
            assert!(Instant::now() < end, "{expression} does not become true");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Answers questions for the camera: `granted`, `denied` or `prompt`.
    pub fn allow_camera(&mut self, setting: &str) {
        let permission = json!({"permission": {"name": "camera"}, "setting": setting});
        self.call("Browser.setPermission", permission);
    }

    /// Screenshot of the window, or of the whole page, as PNG.
    pub fn screenshot(&mut self, whole: bool) -> Vec<u8> {
        let picture = json!({"captureBeyondViewport": whole, "format": "png"});
        let picture = self.call("Page.captureScreenshot", picture);
        let data = picture["data"].as_str().expect("a picture");
        STANDARD.decode(data).expect("base64")
    }

    /// Problems reported so far: exceptions, errors and warnings of the page's console, and the
    /// browser's log about the page.
    pub fn complaints(&self) -> Vec<String> {
        let complaints = self.events.iter().filter(|event| {
            let kind = &event["params"]["type"];
            match event["method"].as_str() {
                Some("Runtime.exceptionThrown" | "Log.entryAdded") => true,
                Some("Runtime.consoleAPICalled") => kind == "error" || kind == "warning",
                _ => false,
            }
        });
        complaints.map(Value::to_string).collect()
    }

    /// Requested addresses.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.events.iter();
        let requests = requests.filter(|event| event["method"] == "Network.requestWillBeSent");
        let url = |event: &Value| {
            event["params"]["request"]["url"]
                .as_str()
                .map(str::to_owned)
        };
        requests.filter_map(url).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends its helper processes on close, and when it is killed they notice.
        let _ = self
            .input
            .write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
