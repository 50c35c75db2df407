//! The page in a real browser, whose webcam plays a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use image::Rgb;
use posy::demo::Flower;
use posy_tests::axe::Axe;
use posy_tests::browser::Browser;
use posy_tests::fake_board::{FakeBoard, HEIGHT, WIDTH};
use posy_tests::scratch::Scratch;
use posy_tests::studio::Studio;
use serde_json::{Value, json};

use super::{jpeg, png, scene};

/// The flowers that the webcam sees in turn, as a mug and a plant.
const SCENES: [(&str, Flower); 2] = [("mug", Flower::ALL[0]), ("plant", Flower::ALL[3])];

/// Frames of each; the browser plays 30 a second.
const FRAMES: u64 = 150;

/// A film of both scenes. A corner says which, so that the test knows when to press the button.
fn film(scratch: &Scratch) -> PathBuf {
    let mut film = Vec::new();
    for (index, (_, flower)) in SCENES.into_iter().enumerate() {
        for frame in 0..FRAMES {
            let mut picture = scene(flower, frame / 30, 320, 240);
            let corner = if index == 0 {
                Rgb([255, 0, 0])
            } else {
                Rgb([0, 0, 255])
            };
            for (x, y) in (0..12).flat_map(|x| (0..12).map(move |y| (x, y))) {
                picture.put_pixel(x, y, corner);
            }
            film.extend(jpeg(&picture));
        }
    }
    scratch.write("film.mjpeg", film)
}

/// In JavaScript: which scene the webcam shows; none near a cut, which the network may see differently.
const SCENE: &str = "(() => { const c = document.createElement('canvas'); c.width = c.height = 8; \
                     const x = c.getContext('2d'); x.drawImage($('video'), 0, 0, 12, 12, 0, 0, 8, 8); \
                     const [r, , b] = x.getImageData(3, 3, 1, 1).data; return r > b ? 0 : 1; })()";

/// Waits until a scene has just begun.
fn begins(browser: &mut Browser, scene: usize) {
    browser.wait_until(&format!("{SCENE} !== {scene}"));
    browser.wait_until(&format!("{SCENE} === {scene}"));
}

fn hold_of(label: &str) -> String {
    format!("document.querySelector('[data-label=\"{label}\"] .hold')")
}

fn photos(scratch: &Scratch, label: &str) -> usize {
    scratch.names(Path::new("studio/photos").join(label)).len()
}

/// Waits until as many pictures are shown as lie in the folder, and none is on its way.
fn settle(browser: &mut Browser, scratch: &Scratch) {
    browser.wait_until("queue.length === 0 && connection === 'up' && !recording");
    for (label, _) in SCENES {
        let shown =
            format!("(state.labels.find(label => label.name === '{label}')?.photos.length ?? 0)");
        browser.wait_until(&format!("{shown} === {}", photos(scratch, label)));
    }
}

fn keep(browser: &mut Browser, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), browser.screenshot(true)).expect("a picture");
}

/// In JavaScript: how far the page reaches beyond the window, pixels.
const BEYOND: &str = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

const ARGUMENTS: [&str; 2] = ["--board=none", "--backbone=network.tflite"];

#[test]
fn two_things_are_taught_by_holding_a_button_and_named_live() {
    let test = "two_things_are_taught_by_holding_a_button_and_named_live";
    let scratch = Scratch::new();
    let Some(mut browser) = Browser::with_webcam(test, &film(&scratch)) else {
        return;
    };
    scratch.write("network.tflite", posy_nn::zoo::embedded::BYTES);
    let mut studio = Studio::start(&scratch, 0, &ARGUMENTS);
    let port = studio.port;
    browser.look_like(1280, 900, false, "light");
    browser.open_url(&studio.address);
    browser.wait_until("state !== null");
    let location = browser.evaluate("location.href");
    assert_eq!(
        location,
        format!("http://127.0.0.1:{port}/"),
        "the token stays in the address"
    );
    assert_eq!(
        browser.evaluate("document.cookie"),
        "",
        "a script sees the token"
    );

    // With the keyboard.
    for (label, _) in SCENES {
        browser.evaluate("$('label-name').focus()");
        browser.call("Input.insertText", json!({"text": label}));
        browser.press("Enter");
        browser.wait_until(&format!("{} !== null", hold_of(label)));
    }
    assert_eq!(
        browser.evaluate(&format!("{}.disabled", hold_of("mug"))),
        true
    );
    browser.click("$('use-webcam')");
    browser.wait_until("$('video').videoWidth > 0");
    for _ in 0..2 {
        for (index, (label, _)) in SCENES.into_iter().enumerate() {
            begins(&mut browser, index);
            browser.hold(&hold_of(label), Duration::from_millis(1600));
            // A machine that stalls for seconds would teach one thing by pictures of the other.
            assert_eq!(browser.evaluate(SCENE), index, "the scene ended too early");
        }
    }
    settle(&mut browser, &scratch);
    for (label, _) in SCENES {
        assert!(
            photos(&scratch, label) >= 9,
            "{label}: {}",
            photos(&scratch, label)
        );
    }
    browser.wait_until("state.training.kind === 'idle' && state.model?.accuracy?.[1] > 0");
    for (index, (label, _)) in SCENES.into_iter().enumerate() {
        begins(&mut browser, index);
        browser.wait_until(&format!(
            "document.querySelector('#browser-bars bdi')?.textContent === '{label}'"
        ));
    }
    // At the camera's rate, and nothing was sent for it.
    let rate = "Number($('browser-times').textContent.match(/([0-9]+) pictures a second/)?.[1])";
    browser.wait_until(&format!("{rate} >= 10"));
    let requests = browser.requests();
    assert!(
        !requests.iter().any(|url| url.contains("/api/look")),
        "{requests:?}"
    );
    assert!(scratch.join("studio/model.posy").exists());
    assert!(scratch.join("studio/model.run.json").exists());
    assert_eq!(browser.forget(), Vec::<String>::new());
    looks(&mut browser);

    // A bad picture is named, and a good one beside it is taken.
    let before = photos(&scratch, "mug");
    browser.evaluate("addFiles('mug', [new File(['<svg>'], 'x.jpg')]); 0");
    browser.wait_until("$('status').textContent.startsWith('not a photo')");
    settle(&mut browser, &scratch);
    assert_eq!(photos(&scratch, "mug"), before);
    // The browser says by itself that a request was refused.
    let complaints = browser.forget();
    assert!(
        complaints.iter().all(|line| line.contains("422")),
        "{complaints:?}"
    );

    // A picture is taken away and brought back.
    browser.click("document.querySelector('[data-label=mug] .thumbs button')");
    browser.click("$('remove-photo')");
    browser.wait_until("$('status').textContent.startsWith('The picture is taken away')");
    assert_eq!(photos(&scratch, "mug"), before - 1);
    browser.click("document.querySelector('#status button')");
    browser.wait_until("$('status').textContent.startsWith('It is back')");
    settle(&mut browser, &scratch);
    assert_eq!(photos(&scratch, "mug"), before);

    // A second tab shows the same; a reload loses nothing.
    let first = browser.new_tab();
    browser.open_url(&format!("http://127.0.0.1:{port}/"));
    browser.wait_until("!!state?.model");
    let counts = "[...document.querySelectorAll('.card .head .soft')].map(e => e.textContent)";
    let second_counts = browser.evaluate(counts);
    let second = browser.switch(first);
    assert_eq!(browser.evaluate(counts), second_counts);
    browser.open_url(&format!("http://127.0.0.1:{port}/"));
    browser.wait_until("!!state?.model");
    assert_eq!(browser.evaluate(counts), second_counts);
    assert_eq!(browser.forget(), Vec::<String>::new());

    // The server dies; what is recorded meanwhile waits in the tab, and goes to the folder then.
    browser.click("$('use-webcam')");
    browser.wait_until("$('video').videoWidth > 0");
    let before = photos(&scratch, "mug");
    studio.kill();
    begins(&mut browser, 0);
    browser.hold(&hold_of("mug"), Duration::from_millis(1500));
    browser.wait_until("$('status').textContent.startsWith('posy studio does not answer')");
    // The picture that was under way when the button was let go comes as well.
    std::thread::sleep(Duration::from_secs(1));
    let waiting = browser.evaluate("queue.length").as_u64().unwrap() as usize;
    assert!(waiting >= 1, "{waiting}");
    assert_eq!(photos(&scratch, "mug"), before);
    let studio = Studio::start(&scratch, port, &ARGUMENTS);
    browser.wait_until("$('status').textContent.includes('open the address that it printed')");
    let first = browser.switch(second);
    browser.open_url(&studio.address);
    browser.wait_until("state !== null");
    browser.switch(first);
    settle(&mut browser, &scratch);
    assert_eq!(photos(&scratch, "mug"), before + waiting);
    browser.wait_until("state.model !== null && $('status').textContent === ''");
}

/// In JavaScript: the likeliest label of laptop, board and browser, be it `unknown` or not.
const LIKELIEST: &str = "['answer', 'board-bars', 'browser-bars'].map(id => \
                         [...$(id).querySelectorAll('bdi')].find(e => e.textContent !== 'unknown')?.textContent)";

#[test]
fn laptop_board_and_browser_are_compared() {
    let test = "laptop_board_and_browser_are_compared";
    let scratch = Scratch::new();
    let Some(mut browser) = Browser::start(test) else {
        return;
    };
    scratch.write("network.tflite", posy_nn::zoo::embedded::BYTES);
    for (label, flower) in SCENES {
        for number in 0..20 {
            let photo = png(&scene(flower, number, 160, 120));
            scratch.write(format!("studio/photos/{label}/{number}.png"), photo);
        }
    }
    let mut board = FakeBoard::new(&scratch.join("port"), &[]);
    let show = |board: &FakeBoard, flower, number| {
        board.show(scene(flower, number, WIDTH.into(), HEIGHT.into()).as_raw());
    };
    show(&board, SCENES[0].1, 0);
    board.plug_in();
    let arguments = ["--backbone=network.tflite", "--port=port"];
    let studio = Studio::start(&scratch, 0, &arguments);
    browser.look_like(1280, 900, false, "light");
    browser.open_url(&studio.address);
    browser.wait_until(
        "!!state?.model && state.training.kind === 'idle' && state.board.name !== null",
    );
    // A push that a busy machine lets time out is asked for again, as a person would.
    browser.wait_until(
        "(() => { const now = performance.now(); \
         if (!$('push').disabled && !(now - globalThis.pushed < 10000)) { \
         globalThis.pushed = now; $('push').click(); } return state.board.current; })()",
    );
    for (label, flower) in SCENES {
        show(&board, flower, 0);
        browser.wait_until(&format!("{LIKELIEST}.every(name => name === '{label}')"));
        // Compared anew, of a picture that all three have seen.
        browser.evaluate("agreed = null; 0");
        browser
            .wait_until("$('same').textContent.endsWith('on laptop, board and in this browser')");
        assert_eq!(browser.evaluate("$('same').className"), "good");
    }
    let axe = Axe::new(test);
    for (name, width, phone) in [
        ("studio-three.png", 1280, false),
        ("studio-three-phone.png", 390, true),
    ] {
        browser.look_like(width, 900, phone, "light");
        assert_eq!(browser.evaluate(BEYOND), 0, "{name}");
        if let Some(axe) = &axe {
            assert_eq!(axe.barriers(&mut browser), [], "{name}");
        }
        keep(&mut browser, name);
    }
    // A browser that computed one other logit is found out.
    browser.evaluate(
        "(() => { const {answer} = live.model; live.model.answer = (...picture) => { \
         const found = answer(...picture); found.outputs[0] ^= 1; return found; }; })()",
    );
    browser.wait_until("$('same').textContent.endsWith('between board and browser')");
    assert_eq!(browser.evaluate("$('same').className"), "poor");
    assert_eq!(browser.forget(), Vec::<String>::new());
}

/// On a desk and on a phone, by day and by night.
fn looks(browser: &mut Browser) {
    let axe = Axe::new("studio_in_axe");
    for (name, width, phone, scheme) in [
        ("studio-desk.png", 1280, false, "light"),
        ("studio-desk-dark.png", 1280, false, "dark"),
        ("studio-phone.png", 390, true, "light"),
        ("studio-phone-dark.png", 390, true, "dark"),
    ] {
        browser.look_like(width, 900, phone, scheme);
        browser.evaluate("scrollTo({top: 0, behavior: 'instant'})");
        std::thread::sleep(Duration::from_millis(300));
        keep(browser, name);
        assert_eq!(browser.evaluate(BEYOND), 0, "{name}");
        if let Some(axe) = &axe {
            assert_eq!(axe.barriers(browser), [], "{name}");
        }
        let dark =
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(c => c < 50)";
        assert_eq!(
            browser.evaluate(dark),
            Value::Bool(scheme == "dark"),
            "{name}"
        );
    }
    browser.look_like(1280, 900, false, "light");
}
