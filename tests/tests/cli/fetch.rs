//! Downloads of networks and photos from a misbehaving server. The file is a real network whose
//! address and checksum are pinned in the command; `POSY_MIRROR` redirects it here.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use posy_nn::download::{DownloadError, NoProgress, Pinned, RetryPolicy, download};
use posy_nn::zoo::Source;
use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};
use posy_tests::server::{Manner, Server};
use sha2::{Digest, Sha256};

const NETWORK: &str = "mobilenet_v1_0.25_128_quant.tflite";
const NAME: &str = "mobilenet_0.25_128";

fn network(test: &str) -> Option<Vec<u8>> {
    let path = data(test, &format!("models/{NETWORK}"))?;
    Some(std::fs::read(path).unwrap())
}

/// Runs `posy models fetch` into the folder `models`, from `server`.
fn fetch(scratch: &Scratch, server: &str) -> Outcome {
    let mut command = scratch.command(["models", "fetch", NAME, "--model-dir=models"]);
    command.env("POSY_MIRROR", server);
    Outcome::of(command)
}

/// Content of the folder of networks without the lock.
fn kept(scratch: &Scratch) -> Vec<String> {
    let names = scratch.names("models").into_iter();
    names.filter(|name| !name.ends_with(".lock")).collect()
}

const PART: &str = "mobilenet_v1_0.25_128_quant.tflite.part";

#[test]
fn a_network_comes_and_is_kept() {
    let Some(bytes) = network("a_network_comes_and_is_kept") else {
        return;
    };
    let scratch = Scratch::new();
    let server = Server::start(bytes.clone(), &[Manner::Well]);
    let outcome = fetch(&scratch, &server.address).succeeds();
    assert_eq!(outcome.stdout, format!("models/{NETWORK}\n"));
    assert_eq!(scratch.read(format!("models/{NETWORK}")), bytes);
    let head = server.requests().remove(0);
    let path = "GET /GreenWaves-Technologies/mobilenet/2286ae4cb8ff46a5a0612e5c2dd7023f6ac3d5ec/\
                models/mobilenet_v1_0_25_128_quant.tflite HTTP/1.1";
    assert!(head.starts_with(path), "{head}");
    fetch(&scratch, &server.address).succeeds();
    assert_eq!(server.count(), 1, "fetched twice");
    assert_eq!(kept(&scratch), [NETWORK]);
}

#[test]
fn retrain_fetches_what_it_needs() {
    let test = "retrain_fetches_what_it_needs";
    let (Some(bytes), Some(flowers)) = (network(test), data(test, "flower_photos")) else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 12);
    let server = Server::start(bytes, &[Manner::Well]);
    let mut command = scratch.retrain_command("flowers", &[]);
    command.env("POSY_DATA", "nowhere");
    command.env("POSY_MIRROR", &server.address);
    let outcome = Outcome::of(command).succeeds();
    outcome.says(&["downloading mobilenet_v1_0.25_128\n"]);
    assert!(scratch.join("flowers.posy").is_file());
    assert!(scratch.join("nowhere/models").join(NETWORK).is_file());
}

#[test]
fn lost_connections_are_gone_on_from() {
    let Some(bytes) = network("lost_connections_are_gone_on_from") else {
        return;
    };
    let scratch = Scratch::new();
    let manners = [
        Manner::CutAfter(100_000),
        Manner::CutAfter(150_000),
        Manner::Well,
    ];
    let server = Server::start(bytes.clone(), &manners);
    fetch(&scratch, &server.address).succeeds();
    assert_eq!(scratch.read(format!("models/{NETWORK}")), bytes);
    let ranges: Vec<bool> = server
        .requests()
        .iter()
        .map(|head| head.to_lowercase().contains("range: bytes="))
        .collect();
    assert_eq!(ranges, [false, true, true]);

    // A server that always hangs up: the partial file is kept for another run.
    let scratch = Scratch::new();
    let server = Server::start(
        bytes.clone(),
        &[Manner::CutAfter(200_000), Manner::CutAfter(0)],
    );
    let outcome = fetch(&scratch, &server.address);
    let texts = [
        "of 497264 bytes",
        "Run the command again: it goes on",
        NETWORK,
    ];
    outcome.fails(1, &texts);
    assert_eq!(kept(&scratch), [PART]);
    assert!(scratch.read(format!("models/{PART}")).len() > 100_000);
    let server = Server::start(bytes.clone(), &[Manner::Well]);
    fetch(&scratch, &server.address).succeeds();
    assert!(
        server.requests()[0]
            .to_lowercase()
            .contains("range: bytes=")
    );
    assert_eq!(kept(&scratch), [NETWORK]);
}

#[test]
fn servers_without_parts_or_with_wrong_ones_do() {
    let Some(bytes) = network("servers_without_parts_or_with_wrong_ones_do") else {
        return;
    };
    for manner in [Manner::Whole, Manner::WrongRange] {
        let scratch = Scratch::new();
        scratch.write(format!("models/{PART}"), &bytes[..1000]);
        let server = Server::start(bytes.clone(), &[manner]);
        fetch(&scratch, &server.address).succeeds();
        assert_eq!(
            scratch.read(format!("models/{NETWORK}")),
            bytes,
            "{manner:?}"
        );
    }
    // The part of an earlier run is of another file, or longer than this one.
    for len in [1000, bytes.len(), bytes.len() + 1] {
        let scratch = Scratch::new();
        scratch.write(format!("models/{PART}"), vec![7; len]);
        let server = Server::start(bytes.clone(), &[Manner::Well]);
        fetch(&scratch, &server.address).succeeds();
        assert_eq!(scratch.read(format!("models/{NETWORK}")), bytes, "{len}");
    }
}

#[test]
fn wrong_files_are_refused() {
    let Some(bytes) = network("wrong_files_are_refused") else {
        return;
    };
    let sum = "3799e7cdb3ec44beacaf47ef5c884111c919e51bb50b34ac836244b08d4b953b";
    let cases: [(Manner, &[&str]); 4] = [
        (Manner::Flipped, &["SHA-256", sum, "log-in page"]),
        (Manner::Longer, &["more than the file's 497264 bytes"]),
        (Manner::Status(404), &["status 404", "Try again later"]),
        (Manner::Status(503), &["status 503", "put it at models/"]),
    ];
    for (manner, texts) in cases {
        let scratch = Scratch::new();
        let server = Server::start(bytes.clone(), &[manner]);
        let outcome = fetch(&scratch, &server.address).fails(1, texts);
        assert!(outcome.stderr.contains(NETWORK), "{outcome}");
        assert!(
            kept(&scratch).is_empty(),
            "{manner:?}: {:?}",
            kept(&scratch)
        );
    }
}

#[test]
fn no_network() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.join("models")).unwrap();
    // No server listens there.
    let server = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for server in [server.as_str(), "http://no-such-host.invalid"] {
        let outcome = fetch(&scratch, server);
        let texts = [
            "cannot be reached",
            "Check the network",
            "put it at models/",
            NETWORK,
        ];
        outcome.fails(1, &texts);
        assert!(kept(&scratch).is_empty());
    }
}

/// `/dev/full` accepts no byte, like a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let Some(bytes) = network("a_full_disk") else {
        return;
    };
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.join("models")).unwrap();
    let part = scratch.join(format!("models/{PART}"));
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let server = Server::start(bytes, &[Manner::Well]);
    let texts = ["the disk is full", "Make room and run the command again"];
    fetch(&scratch, &server.address).fails(1, &texts);
    assert!(!scratch.join(format!("models/{NETWORK}")).exists());
}

#[test]
fn two_at_once_fetch_once() {
    let Some(bytes) = network("two_at_once_fetch_once") else {
        return;
    };
    let scratch = Scratch::new();
    let server = Server::start(bytes.clone(), &[Manner::Slow(10)]);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| fetch(&scratch, &server.address)))
            .collect();
        for run in runs {
            run.join().unwrap().succeeds();
        }
    });
    assert_eq!(server.count(), 1);
    assert_eq!(scratch.read(format!("models/{NETWORK}")), bytes);
}

fn sha256(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A network in an archive, as for the widest ones. Tested through the library, because the
/// command's archives are pinned.
#[test]
fn many_at_once_unpack_once() {
    let file = b"what is in the file".repeat(20_000);
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |name: &str, len: usize, bytes: &mut dyn Read| {
        let mut header = tar::Header::new_gnu();
        header.set_size(len as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    };
    // Large enough that others arrive while the first is unpacking.
    let zeros = 200_000_000;
    add(
        "./checkpoint",
        zeros,
        &mut std::io::repeat(0).take(zeros as u64),
    );
    add("./net.tflite", file.len(), &mut file.as_slice());
    let archive = builder.into_inner().unwrap().finish().unwrap();
    let server = Server::start(archive.clone(), &[Manner::Well]);
    let source = Source {
        file: Pinned {
            url: format!("{}/net.tgz", server.address).leak(),
            sha256: sha256(&archive).leak(),
            len: None,
        },
        member: Some("net.tflite"),
    };
    let scratch = Scratch::new();
    let target = scratch.join("models/net.tflite");
    let retries = RetryPolicy::default();
    std::thread::scope(|scope| {
        for turn in 0..24 {
            let (source, target, retries) = (&source, &target, &retries);
            scope.spawn(move || {
                std::thread::sleep(turn * Duration::from_millis(25));
                source.fetch(target, retries, &NoProgress).unwrap();
            });
        }
    });
    assert_eq!(std::fs::read(&target).unwrap(), file);
    assert_eq!(server.count(), 1);
    assert_eq!(kept(&scratch), ["net.tflite"]);
}

/// Tested through the library, because the command's timeouts are too long for a test.
#[test]
fn a_server_that_falls_silent() {
    let bytes: Vec<u8> = (0..100_000_u32).map(|i| ((i * i) >> 7) as u8).collect();
    let sum = sha256(&bytes);
    let retries = RetryPolicy {
        connect: Duration::from_secs(5),
        body: Duration::from_millis(500),
        attempts: 2,
        pause: Duration::from_millis(10),
    };
    let pinned = |server: &Server| Pinned {
        url: format!("{}/file", server.address).leak(),
        sha256: sum.clone().leak(),
        len: None,
    };
    let scratch = Scratch::new();
    let target: PathBuf = scratch.join("folder/file");
    let server = Server::start(bytes.clone(), &[Manner::StallAfter(30_000), Manner::Well]);
    download(&pinned(&server), &target, &retries, &NoProgress).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), bytes);

    let target = scratch.join("folder/other");
    let server = Server::start(bytes, &[Manner::StallAfter(0)]);
    let error = download(&pinned(&server), &target, &retries, &NoProgress).unwrap_err();
    assert!(matches!(error.cause, DownloadError::Lost { .. }), "{error}");
    assert!(!target.exists());
}

#[test]
fn photos_are_checked_before_they_are_unpacked() {
    let scratch = Scratch::new();
    let server = Server::start(vec![7; 100_000], &[Manner::Well]);
    let mut command = scratch.command(["photos", "fetch", "flowers"]);
    command.env("POSY_DATA", "nowhere");
    command.env("POSY_MIRROR", &server.address);
    let outcome = Outcome::of(command);
    outcome.fails(1, &["of 228813984 bytes", "flower_photos.tgz"]);
    assert!(!scratch.join("nowhere/flower_photos").exists());
    let head = server.requests().remove(0);
    let path = "GET /download.tensorflow.org/example_images/flower_photos.tgz ";
    assert!(head.starts_with(path), "{head}");

    // An archive given by hand, and a hostile one; the library's tests have more of them.
    let archive = scratch.write("mine.tgz", b"no archive");
    let mut command = scratch.command(["photos", "fetch", "--archive"]);
    command.arg(archive).env("POSY_DATA", "nowhere");
    let texts = ["mine.tgz", "damaged or no .tar.gz", "nothing was unpacked"];
    Outcome::of(command).fails(1, &texts);
    let outcome = scratch.posy(["photos", "fetch", "cats"]);
    outcome.fails(2, &["no photos are called \"cats\"", "flowers"]);
    std::fs::create_dir_all(scratch.join("nowhere/flower_photos")).unwrap();
    let mut command = scratch.command(["photos", "fetch"]);
    command.env("POSY_DATA", "nowhere");
    let outcome = Outcome::of(command);
    outcome.fails(1, &["flower_photos is there already"]);
}

#[test]
fn the_list_has_every_network_of_the_codelab() {
    let scratch = Scratch::new();
    let mut command = scratch.command(["models", "--json"]);
    command.env("POSY_DATA", "nowhere");
    let list = Outcome::of(command).succeeds().json();
    let rows = list.as_array().unwrap();
    let v1 = rows.iter().filter(|row| {
        let name = row["network"].as_str().unwrap();
        name.starts_with("mobilenet_v1_") && row["url"].is_string() && row["file"].is_null()
    });
    assert_eq!(v1.count(), 16);
    let row = |name: &str| rows.iter().find(|row| row["network"] == name).unwrap();
    // Published figures: 149 million MACs with the classifier of 1,001 classes, and 70.9 %.
    assert_eq!(
        row("mobilenet_v1_1.0_224")["imagenet_top1_percent"],
        70.9_f32
    );
    let products = row("mobilenet_v1_0.50_224")["products"].as_u64().unwrap();
    assert!((148_000_000..150_000_000).contains(&products), "{products}");
    let fits = row("mobilenet_v1_0.25_128")["fits"].as_array().unwrap();
    assert!(fits.iter().any(|board| board == "rp-pico"));
    let text = scratch.posy(["models"]).succeeds().stdout;
    assert!(text.contains("mobilenet_v2_0.50_224"), "{text}");
}
