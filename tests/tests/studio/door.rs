//! Threat model: who is let in, and what uploads can do; one test for each line of it.

use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use posy::demo::Flower;
use posy_tests::scratch::Scratch;
use posy_tests::studio::Studio;
use serde_json::Value;

use super::{png, scene};

fn studio(scratch: &Scratch) -> (Studio, String) {
    let network = "--backbone=network.tflite";
    scratch.write("network.tflite", posy_nn::zoo::embedded::BYTES);
    let studio = Studio::start(scratch, 0, &["--board=none", network]);
    let cookie = studio.cookie();
    (studio, cookie)
}

fn photo(number: u64) -> Vec<u8> {
    png(&scene(Flower::ALL[0], number, 80, 60))
}

#[test]
fn it_listens_on_this_machine_alone() {
    let scratch = Scratch::new();
    let (studio, _) = studio(&scratch);
    // The address that this machine has for others, if any; nothing is sent.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let own = socket
        .connect("192.0.2.1:9")
        .and_then(|()| socket.local_addr());
    let Ok(own) = own.map(|own| own.ip()) else {
        eprintln!("SKIPPED: it_listens_on_this_machine_alone: this machine has no other address");
        return;
    };
    let outside = TcpStream::connect_timeout(&(own, studio.port).into(), Duration::from_secs(2));
    assert!(own.is_loopback() || outside.is_err(), "{own}");
    let ours = TcpStream::connect(("127.0.0.1", studio.port));
    assert!(ours.is_ok());
}

#[test]
fn strangers_are_refused_before_anything_is_done() {
    let scratch = Scratch::new();
    let (studio, cookie) = studio(&scratch);
    let port = studio.port;
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    let origin = format!("Origin: http://127.0.0.1:{port}\r\n");
    let known = format!("Cookie: {cookie}\r\n");
    let post = "POST /api/labels/mug HTTP/1.1\r\n";
    for (what, head) in [
        (
            "another host",
            format!("{post}Host: evil.example:{port}\r\n{origin}{known}"),
        ),
        ("no host", format!("{post}{origin}{known}")),
        (
            "another origin",
            format!("{post}{own}Origin: http://evil.example\r\n{known}"),
        ),
        (
            "the origin of a sandbox",
            format!("{post}{own}Origin: null\r\n{known}"),
        ),
        ("no origin", format!("{post}{own}{known}")),
        ("no cookie", format!("{post}{own}{origin}")),
        (
            "a guessed cookie",
            format!("{post}{own}{origin}Cookie: posy_studio_{port}=0000\r\n"),
        ),
    ] {
        let response = studio.raw(&head, &[]);
        // Without a host it is no request at all.
        assert!(
            matches!(response.status, 400 | 403),
            "{what}: {}",
            response.status
        );
        assert!(!response.text().contains(&cookie), "{what}");
    }
    let state = studio.state(&cookie, |_| true);
    assert_eq!(state["labels"], Value::Array(Vec::new()));
    for path in [
        "/",
        "/studio.js",
        "/api/state/0",
        "/api/model",
        "/api/photos/mug/x.jpg",
    ] {
        let response = studio.raw(&format!("GET {path} HTTP/1.1\r\n{own}"), &[]);
        assert_eq!(response.status, 403, "{path}");
        assert!(
            response
                .text()
                .contains("open the address that posy studio printed"),
            "{path}"
        );
    }
    assert_eq!(
        studio
            .raw(&format!("{post}{own}{origin}{known}"), &[])
            .status,
        200
    );
}

#[test]
fn every_response_has_its_headers_and_none_of_cors() {
    let scratch = Scratch::new();
    let (studio, cookie) = studio(&scratch);
    let port = studio.port;
    let query = studio.address.split_once("/?").unwrap().1;
    let opened = studio.raw(
        &format!("GET /?{query} HTTP/1.1\r\nHost: localhost:{port}\r\n"),
        &[],
    );
    let set = opened.header("set-cookie");
    assert_eq!(set.len(), 1);
    assert!(
        set[0].ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{set:?}"
    );
    let refused = studio.raw(
        &format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n"),
        &[],
    );
    let missing = studio.ask(&cookie, "GET", "/nothing", &[]);
    let preflight = studio.raw(
        &format!(
            "OPTIONS /api/labels/mug HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://evil.example\r\n\
             Access-Control-Request-Method: POST\r\n"
        ),
        &[],
    );
    assert_eq!(
        (refused.status, missing.status, preflight.status),
        (403, 404, 403)
    );
    for response in [
        opened,
        refused,
        missing,
        preflight,
        studio.ask(&cookie, "GET", "/studio.js", &[]),
    ] {
        let policy = response.header("content-security-policy");
        assert_eq!(policy.len(), 1);
        for part in [
            "default-src 'self'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "img-src 'self' blob:",
            "frame-ancestors 'none'",
        ] {
            assert!(
                policy[0].split(';').any(|one| one.trim() == part),
                "{policy:?}"
            );
        }
        assert_eq!(response.header("x-content-type-options"), ["nosniff"]);
        assert_eq!(response.header("referrer-policy"), ["no-referrer"]);
        assert_eq!(response.header("cache-control"), ["no-store"]);
        let cors = |(name, _): &(String, String)| name.starts_with("access-control");
        assert!(!response.headers.iter().any(cors), "{:?}", response.headers);
    }
}

#[test]
fn names_and_uploads_stay_in_the_folder() {
    let scratch = Scratch::new();
    let (studio, cookie) = studio(&scratch);
    scratch.write("secret.png", photo(1));
    for label in [
        "..",
        ".",
        "%2e%2e",
        "..%2f..",
        "a%2f..%2f..%2fx",
        "%2fetc",
        "a%5c..%5cx",
        "a%00b",
        "%0a",
        ".ssh",
    ] {
        let status = studio
            .ask(
                &cookie,
                "POST",
                &format!("/api/photos/{label}/b"),
                &photo(1),
            )
            .status;
        assert!(matches!(status, 400 | 404 | 405 | 422), "{label}: {status}");
        let status = studio
            .ask(&cookie, "POST", &format!("/api/labels/{label}"), &[])
            .status;
        assert!(matches!(status, 400 | 404 | 405 | 422), "{label}: {status}");
        for name in ["..%2f..%2f..%2fsecret.png", "secret.png", "..%2fsecret.png"] {
            for method in ["GET", "DELETE"] {
                let status = studio
                    .ask(&cookie, method, &format!("/api/photos/{label}/{name}"), &[])
                    .status;
                assert!(
                    matches!(status, 400 | 404 | 405 | 422),
                    "{label}/{name}: {status}"
                );
            }
        }
    }
    assert_eq!(scratch.names("studio/photos"), Vec::<String>::new());
    assert!(scratch.join("secret.png").exists());
    let added = studio.ask(&cookie, "POST", "/api/photos/mug/..%2F..%2Fx", &photo(1));
    assert_eq!(added.status, 200, "{}", added.text());
    assert_eq!(scratch.names("studio/photos/mug"), ["x_nohash_0001.png"]);
}

#[test]
fn uploads_are_bounded_and_decoded_before_they_are_kept() {
    let scratch = Scratch::new();
    let (studio, cookie) = studio(&scratch);
    let mut bomb = png(&image::RgbImage::new(1, 1));
    // Width and height in its header; the checksum over them is wrong then too, which is found later.
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let torn = photo(1)[..200].to_vec();
    for (what, body) in [
        ("text", b"<svg onload=alert(1)></svg>".to_vec()),
        ("nothing", Vec::new()),
        ("65,536 x 65,536 pixels", bomb),
        ("half a picture", torn),
    ] {
        let response = studio.ask(&cookie, "POST", "/api/photos/mug/b", &body);
        assert_eq!(response.status, 422, "{what}: {}", response.text());
        assert!(
            response.json()["error"]
                .as_str()
                .unwrap()
                .contains("not a photo"),
            "{what}"
        );
        let response = studio.ask(&cookie, "POST", "/api/look", &body);
        assert!(
            matches!(response.status, 409 | 422),
            "{what}: {}",
            response.text()
        );
    }
    let large = vec![0; (16 << 20) + 1];
    assert_eq!(
        studio
            .ask(&cookie, "POST", "/api/photos/mug/b", &large)
            .status,
        413
    );
    assert_eq!(
        studio
            .ask(&cookie, "POST", "/api/look", &large[..5 << 20])
            .status,
        413
    );
    assert_eq!(scratch.names("studio/photos"), Vec::<String>::new());
}

#[test]
fn a_full_disk_is_said_and_costs_nothing_that_lay_there() {
    let test = "a_full_disk_is_said_and_costs_nothing_that_lay_there";
    let scratch = Scratch::new();
    scratch.write("network.tflite", posy_nn::zoo::embedded::BYTES);
    let mount = "mkdir studio && mount -t tmpfs -o size=256k none studio && exec \"$POSY\" studio studio --no-open \
                 --http-port=0 --board=none --backbone=network.tflite";
    let can = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .output();
    if !can.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: {test}: unshare --user --mount does not work here");
        return;
    }
    let inner = scratch.command(["--version"]);
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-ec", mount])
        .current_dir(scratch.path());
    for (key, value) in inner.get_envs() {
        command.env(key, value.unwrap_or_default());
    }
    command.env("POSY", posy_tests::scratch::posy_path());
    let studio = Studio::of(command);
    let cookie = studio.cookie();
    let mut kept = 0;
    let full = loop {
        let photo = png(&scene(Flower::ALL[0], kept, 160, 120));
        let response = studio.ask(&cookie, "POST", "/api/photos/mug/b", &photo);
        match response.status {
            200 => kept += 1,
            _ => break response,
        }
        assert!(kept < 100);
    };
    assert_eq!(full.status, 507, "{}", full.text());
    let words = full.json()["error"].as_str().unwrap().to_owned();
    assert!(
        words.contains("the disk is full") && words.contains("make room"),
        "{words}"
    );
    let state = studio.state(&cookie, |state| {
        state["labels"][0]["photos"]
            .as_array()
            .is_some_and(|photos| photos.len() as u64 == kept)
    });
    assert!(kept > 0, "{state}");
}
