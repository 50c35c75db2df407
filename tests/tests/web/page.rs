//! The page that runs a model, in a real browser.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use posy::dataset::decode::decode;
use posy_nn::run::Runner;
use posy_shared::model::Model;
use posy_shared::ranking::Ranking;
use posy_tests::axe::Axe;
use posy_tests::browser::Browser;
use posy_tests::data;
use posy_tests::scratch::Scratch;
use posy_tests::server::{Manner, Server};
use serde_json::json;

use crate::report::{BEYOND, TOO_FAINT, broken_words, keep};

const FLOWERS: [&str; 3] = ["daisy", "roses", "sunflowers"];
/// Labels of the model; the last is longer than a table shows, and has no place to break it at.
const LABELS: [&str; 3] = [
    "daisy",
    "roses",
    "sunflowers_sunflowers_sunflowers_sunflowers_sunflowers_sunflowers_sunflowers_sunflowers_sunflowers_sunflowers_\
     sunflowers_sunflowers",
];
/// True once the page has opened its model.
const READY: &str = "document.body.dataset.state === 'ready'";
/// True once it has failed to.
const FAILED: &str = "document.body.dataset.state === 'failed'";
/// The page's complaint.
const ALERT: &str = "document.getElementById('problem').textContent";
/// The page's answer.
const TOP: &str = "document.getElementById('top').textContent";
/// Words of an answer that are left on the page; none without one.
const LEFT: &str =
    "['top', 'bars', 'spoken'].map(id => document.getElementById(id).textContent).join('')";
/// Selector of scores and of words of a table's head, which stand on one line each.
const MAY_NOT_BREAK: &str = "#bars .words span, .note ~ details thead th";

/// A page of a model of real photos, and a photo that it is sure of with its label.
struct Fixture {
    scratch: Scratch,
    page: PathBuf,
    photo: PathBuf,
    label: String,
}

impl Fixture {
    fn new(test: &str) -> Option<Self> {
        let flowers = data(test, "flower_photos")?;
        let scratch = Scratch::new();
        scratch.copy_photos(&flowers, "flowers", &FLOWERS, 40);
        let folder = |label| scratch.join("flowers").join(label);
        std::fs::rename(folder(FLOWERS[2]), folder(LABELS[2])).unwrap();
        let mut command = scratch.command([
            "retrain",
            "--head-only",
            "--architecture",
            "mobilenet_0.25_128",
        ]);
        command.args([
            "--image-dir",
            "flowers",
            "--bottleneck-dir",
            "cache",
            "--no-float",
        ]);
        command.args(["--no-report", "--page", "flowers.html"]);
        posy_tests::scratch::Outcome::of(command)
            .succeeds()
            .says(&["page: flowers.html"]);
        let bytes = scratch.read("flowers.posy");
        let runner = Runner::new(Model::read(&bytes).unwrap());
        let mut found = None;
        for label in LABELS {
            for name in scratch.names(Path::new("flowers").join(label)) {
                let photo = scratch.join(Path::new("flowers").join(label).join(name));
                let pixels = decode(&std::fs::read(&photo).unwrap()).unwrap();
                let outputs = runner.output(&pixels).unwrap();
                let ranking = Ranking::<3>::new(runner.model(), &outputs);
                let sure = ranking.top().filter(|top| top.score.to_f32() > 0.97);
                if let Some(top) = sure {
                    found = Some((photo, top.label.to_owned()));
                }
            }
        }
        let (photo, label) = found.expect("a photo that the model is sure of");
        Some(Fixture {
            page: scratch.join("flowers.html"),
            scratch,
            photo,
            label,
        })
    }

    /// The photo as a video of a camera, which Chromium plays over and over.
    fn video(&self) -> PathBuf {
        let (width, height) = (640, 480);
        let photo = image::open(&self.photo).expect("a photo").to_rgb8();
        let photo = image::imageops::thumbnail(&photo, width, height);
        let mut y4m =
            format!("YUV4MPEG2 W{width} H{height} F20:1 Ip A1:1 C420jpeg\nFRAME\n").into_bytes();
        // BT.601 in full range, as JPEG has it; one pixel of colour for four.
        let plane = |weights: [f32; 3], offset: f32, step: usize| {
            let pixel = |x, y| {
                let rgb = photo.get_pixel(x, y).0.map(f32::from);
                let sum: f32 = rgb
                    .iter()
                    .zip(weights)
                    .map(|(value, weight)| value * weight)
                    .sum();
                (sum + offset).round().clamp(0.0, 255.0) as u8
            };
            let rows = (0..height).step_by(step);
            rows.flat_map(|y| (0..width).step_by(step).map(move |x| (x, y)))
                .map(|(x, y)| pixel(x, y))
                .collect::<Vec<u8>>()
        };
        y4m.extend(plane([0.299, 0.587, 0.114], 0.0, 1));
        y4m.extend(plane([-0.1687, -0.3313, 0.5], 128.0, 2));
        y4m.extend(plane([0.5, -0.4187, -0.0813], 128.0, 2));
        self.scratch.write("camera.y4m", y4m)
    }
}

/// Asserts that the page complains in these words.
fn says(browser: &mut Browser, texts: &[&str]) {
    browser.wait_until(&format!("{ALERT} !== ''"));
    let said = browser.evaluate(ALERT);
    let said = said.as_str().unwrap();
    for text in texts {
        assert!(said.contains(text), "{said}");
    }
}

/// Asserts that nothing but the page itself was requested.
fn asks_for_nothing(browser: &Browser) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let requests = browser.requests();
    let foreign = requests.iter().filter(|url| {
        let own = url.ends_with("/flowers.html") || url.starts_with("http://127.0.0.1");
        !own && !url.starts_with("blob:") && !url.starts_with("data:")
    });
    assert_eq!(foreign.count(), 0, "{requests:?}");
}

/// Asserts that axe-core finds nothing that keeps people from using the page, if it is there.
fn accessible(browser: &mut Browser, axe: Option<&Axe>, state: &str) {
    if let Some(axe) = axe {
        assert_eq!(axe.barriers(browser), [], "{state}");
    }
}

#[test]
fn it_names_photos_and_what_a_camera_sees() {
    let test = "it_names_photos_and_what_a_camera_sees";
    let Some(fixture) = Fixture::new(test) else {
        return;
    };
    let size = fixture.page.metadata().unwrap().len();
    assert!(size <= 500 << 10, "{size} bytes");
    let arguments = [
        "--use-fake-device-for-media-stream".to_owned(),
        format!(
            "--use-file-for-fake-video-capture={}",
            fixture.video().display()
        ),
    ];
    let Some(mut browser) = Browser::start_with(test, &arguments) else {
        return;
    };
    browser.allow_camera("granted");
    let axe = Axe::new(test);
    let server = Server::start(std::fs::read(&fixture.page).unwrap(), &[Manner::Well]);
    let file = format!("file://{}", fixture.page.display());
    for url in [file, format!("{}/flowers.html", server.address)] {
        browser.look_like(1280, 900, false, "light");
        browser.open_url(&url);
        browser.wait_until(READY);
        // By keyboard: the first thing that Tab reaches is the camera's button.
        browser.press("Tab");
        assert_eq!(browser.evaluate("document.activeElement.id"), "camera");
        browser.press("Enter");
        browser.wait_until(&format!("{TOP} === {}", json!(fixture.label)));
        let time = browser.evaluate("document.getElementById('time').textContent");
        assert!(
            time.as_str().unwrap().contains("pictures a second"),
            "{time}"
        );
        let spoken = "document.getElementById('spoken').textContent";
        browser.wait_until(&format!("{spoken}.startsWith({})", json!(fixture.label)));
        keep(&mut browser, "page-camera.png", true);
        browser.press("Enter");
        browser.wait_until("document.getElementById('video').hidden");
        assert_eq!(browser.evaluate(LEFT), "\u{2013}");
        // The answer of a photo takes the place of the camera's.
        browser.choose("#pick", &fixture.photo);
        browser.wait_until("!document.getElementById('photo').hidden");
        assert_eq!(browser.evaluate(TOP), fixture.label);
        // The figures of a label whose text is cut in the table, too.
        let facts = browser.evaluate("document.querySelector('#bars small').textContent");
        assert!(facts.as_str().unwrap().contains(" of "), "{facts}");
        for (name, width, phone, scheme) in [
            ("page.png", 1280, false, "light"),
            ("page-dark.png", 1280, false, "dark"),
            ("page-phone.png", 390, true, "light"),
            ("page-phone-dark.png", 390, true, "dark"),
        ] {
            browser.look_like(width, 844, phone, scheme);
            browser
                .evaluate("document.querySelectorAll('details').forEach(one => one.open = true)");
            assert_eq!(browser.evaluate(BEYOND), 0, "{name}");
            assert_eq!(
                browser.evaluate(&broken_words(MAY_NOT_BREAK, usize::MAX)),
                json!([]),
                "{name}"
            );
            assert_eq!(browser.evaluate(TOO_FAINT), json!([]), "{name}");
            accessible(&mut browser, axe.as_ref(), name);
            keep(&mut browser, name, true);
        }
    }
    asks_for_nothing(&browser);

    browser.allow_camera("denied");
    browser.evaluate("document.getElementById('camera').click()");
    says(&mut browser, &["permission was refused", "choose a photo"]);
    let said = browser.evaluate(ALERT);
    assert!(!said.as_str().unwrap().contains("file"), "{said}");
    browser.open(&fixture.page);
    browser.wait_until(READY);
    browser.evaluate("document.getElementById('camera').click()");
    let refused = ["permission was refused", "choose a photo", "http.server"];
    says(&mut browser, &refused);
    keep(&mut browser, "page-refused.png", true);
}

/// A PNG of `width` x `height` white pixels, one bit each.
fn white_png(width: u32, height: u32) -> Vec<u8> {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], content: &[u8]| {
        png.extend((content.len() as u32).to_be_bytes());
        let both = [&kind[..], content].concat();
        png.extend(&both);
        png.extend(crc.checksum(&both).to_be_bytes());
    };
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(b"IHDR", &[&sides[..], &[1, 0, 0, 0, 0]].concat());
    let mut row = vec![0xFF; 1 + width.div_ceil(8) as usize];
    row[0] = 0;
    let mut encoder = ZlibEncoder::new(Cursor::new(Vec::new()), Compression::fast());
    for _ in 0..height {
        encoder.write_all(&row).unwrap();
    }
    chunk(b"IDAT", &encoder.finish().unwrap().into_inner());
    chunk(b"IEND", &[]);
    png
}

/// JavaScript that drops files on the page at once, each a name and its bytes.
fn drop_of(files: &[(&str, &[u8])]) -> String {
    let files: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (name, STANDARD.encode(bytes)))
        .collect();
    format!(
        "(() => {{ const data = new DataTransfer(); \
         for (const [name, bytes] of {}) \
         data.items.add(new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], name)); \
         dispatchEvent(new DragEvent('drop', {{dataTransfer: data}})); }})()",
        json!(files)
    )
}

/// Drops several files, a folder, two files after each other, and one before the model is there.
fn dropped(browser: &mut Browser, fixture: &Fixture) {
    let time = "document.getElementById('time').textContent";
    let (first, second) = (white_png(31, 21), white_png(37, 23));
    browser.evaluate(&drop_of(&[("a.png", &first[..]), ("b.png", &second[..])]));
    browser.wait_until(&format!("{time}.includes('31 x 21')"));
    let said = browser.evaluate(time);
    assert!(
        said.as_str().unwrap().contains("first of 2 files"),
        "{said}"
    );
    let folder = fixture.scratch.join("flowers");
    browser.drop_file("document.getElementById('stage')", &folder);
    says(browser, &["flowers: is a folder; drop a photo out of it"]);
    assert_eq!(browser.evaluate(LEFT), "\u{2013}");
    // The error of a file that another one took the place of is not shown over the other's answer.
    browser.evaluate(&format!(
        "{}; {}",
        drop_of(&[("bad.jpg", &b"no photo"[..])]),
        drop_of(&[("b.png", &second[..])])
    ));
    browser.wait_until(&format!("{time}.includes('37 x 23')"));
    browser.evaluate("new Promise(resolve => setTimeout(resolve, 200))");
    assert_eq!(browser.evaluate(ALERT), "");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let early = drop_of(&[("early.png", &first[..])]);
    let early = json!({"source": format!("addEventListener('DOMContentLoaded', () => {early})")});
    let script = browser.call("Page.addScriptToEvaluateOnNewDocument", early);
    browser.open(&fixture.page);
    browser.wait_until(READY);
    browser.wait_until(&format!("{time}.includes('31 x 21')"));
    let script = json!({"identifier": script["identifier"]});
    browser.call("Page.removeScriptToEvaluateOnNewDocument", script);
}

/// Figures of the labels in a page.
fn figures(html: &str) -> Vec<&str> {
    let rows = html.split("data-right=\"").skip(1);
    rows.map(|row| row.split('"').next().unwrap()).collect()
}

/// A right photo that is answered `unknown` is right in the page, as in the run's record; and a record
/// that is of no use is named.
fn counts_as_the_record_does(scratch: &Scratch) {
    let text = |name: &str| String::from_utf8(scratch.read(name)).unwrap();
    let before = text("flowers.html");
    assert!(!figures(&before).is_empty());
    let record = text("flowers.run.json");
    let mut unsure: serde_json::Value = serde_json::from_str(&record).unwrap();
    for photo in unsure["photos"].as_array_mut().unwrap() {
        photo["answer"] = serde_json::Value::Null;
    }
    scratch.write("flowers.run.json", unsure.to_string());
    let page = ["page", "flowers.posy", "--output", "again.html"];
    let outcome = scratch.posy(page).succeeds();
    assert!(!outcome.stderr.contains("warning"), "{outcome}");
    assert_eq!(figures(&text("again.html")), figures(&before));
    unsure["model"]["sha256"] = json!("00");
    for (broken, why) in [
        (record[..300].to_owned(), "not a run's record"),
        (unsure.to_string(), "is of another model"),
    ] {
        scratch.write("flowers.run.json", broken);
        let outcome = scratch.posy(page).succeeds();
        outcome.says(&["warning: flowers.run.json: ", why]);
        assert!(figures(&text("again.html")).is_empty());
    }
    scratch.write("flowers.run.json", record);
}

#[test]
fn what_goes_wrong_is_said() {
    let test = "the_page_says_what_goes_wrong";
    let Some(fixture) = Fixture::new(test) else {
        return;
    };
    let Some(mut browser) = Browser::start(test) else {
        return;
    };
    browser.look_like(390, 844, true, "light");
    browser.open(&fixture.page);
    browser.wait_until(READY);
    let scratch = &fixture.scratch;
    counts_as_the_record_does(scratch);
    let photo = std::fs::read(&fixture.photo).unwrap();
    let heic = [&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], &[0; 100]].concat();
    let beginning = photo[..60].to_vec();
    let half = white_png(300, 200)[..60].to_vec();
    let mut broken = photo[..60].to_vec();
    broken.extend(b"\xff\xd9");
    for (name, bytes, texts) in [
        ("photo.heic", heic, ["HEIC", "JPEG"]),
        ("broken.jpg", broken, ["cannot", "JPEG or PNG"]),
        (
            "cut.jpg",
            beginning,
            ["the JPEG ends early", "copy it again"],
        ),
        ("cut.png", half, ["the PNG ends early", "copy it again"]),
        (
            "empty.jpg",
            Vec::new(),
            ["the file is empty", "fetch it again"],
        ),
        (
            "note.txt",
            b"no photo".to_vec(),
            ["cannot read it as a photo", "JPEG"],
        ),
        (
            "large.png",
            white_png(12500, 8000),
            ["12500 x 8000", "above the limit of 67 megapixels"],
        ),
    ] {
        let path = scratch.write(name, bytes);
        browser.choose("#pick", &fixture.photo);
        browser.wait_until(&format!("{TOP} === {}", json!(fixture.label)));
        browser.choose("#pick", &path);
        says(&mut browser, &[name]);
        says(&mut browser, &texts);
        // The answer of the photo before is gone.
        assert_eq!(browser.evaluate(LEFT), "\u{2013}", "{name}");
    }
    accessible(&mut browser, Axe::new(test).as_ref(), "an error");
    keep(&mut browser, "page-problem.png", true);
    // It still names what can be read, of a size that is no multiple of anything.
    browser.choose("#pick", &scratch.write("odd.png", white_png(1237, 911)));
    browser.wait_until("document.getElementById('time').textContent.includes('1237 x 911')");
    assert_eq!(browser.evaluate(ALERT), "");

    dropped(&mut browser, &fixture);

    // There is no camera.
    browser.allow_camera("granted");
    browser.evaluate("document.getElementById('camera').click()");
    says(&mut browser, &["No camera was found", "choose a photo"]);

    // A model or an engine that is damaged on its way.
    let html = String::from_utf8(scratch.read("flowers.html")).unwrap();
    for (id, what) in [
        ("model-file", "the model in this page is damaged"),
        ("engine-simd128", "the engine in this page is damaged"),
    ] {
        let start = format!("id=\"{id}\">");
        let (before, part) = html.split_once(&start).unwrap();
        let at = part.find('<').unwrap() / 3;
        let other = if part.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        let damaged = format!("{before}{start}{}{other}{}", &part[..at], &part[at + 1..]);
        browser.open(&scratch.write("damaged.html", damaged));
        browser.wait_until(FAILED);
        says(&mut browser, &[what, "copy or make the page again"]);
    }
}

#[test]
fn pages_are_made_of_models_alone() {
    let scratch = Scratch::new();
    let model = posy_tests::named_classifier(&["<b>a</b>", "b"], "net");
    scratch.write("my net.posy", model);
    scratch
        .posy(["page", "my net.posy"])
        .succeeds()
        .says(&["wrote my net.html"]);
    let html = String::from_utf8(scratch.read("my net.html")).unwrap();
    assert!(!html.contains("<b>a</b>"));
    // Entities are whole.
    let count = |part: &str| html.matches(part).count();
    assert_eq!(count("rsquo;"), count("&rsquo;"));
    assert!(html.contains("A browser&rsquo;s JPEG decoder gives"));
    // Neither the model nor its record is overwritten.
    let before = scratch.read("my net.posy");
    for output in ["my net.posy", "gone/../my net.posy", "my net.run.json"] {
        scratch
            .posy(["page", "my net.posy", "--output", output])
            .fails(2, &[output, "would overwrite", "--output"]);
    }
    assert_eq!(scratch.read("my net.posy"), before);
    scratch.write("photo.posy", "POSY");
    scratch
        .posy(["page", "photo.posy"])
        .fails(1, &["photo.posy: "]);
    scratch
        .posy(["page", "gone.posy"])
        .fails(1, &["gone.posy: there is no such file"]);
    assert!(!scratch.join("gone.html").exists());
}
