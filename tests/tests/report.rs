//! The HTML report of a run in a real browser.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use posy::dataset::decode::decode;
use posy::page::{PLAIN, SIMD128};
use posy_nn::run::Runner;
use posy_shared::model::Model;
use posy_shared::ranking::Ranking;
use posy_tests::axe::Axe;
use posy_tests::browser::Browser;
use posy_tests::data;
use posy_tests::draw::in_full_runs;
use posy_tests::scratch::{Outcome, Scratch};
use serde_json::{Value, json};

/// Folders of photos by label: right-to-left text, other scripts, and characters that are special
/// in HTML.
const LABELS: [(&str, &str); 4] = [
    ("daisy", "雏菊"),
    ("roses", "ورد"),
    ("sunflowers", "<b onclick=alert(1)>&amp; 'sun'\"flowers"),
    ("tulips", "tulips"),
];
/// Names of photos that would do harm without escaping.
const NAMES: [&str; 3] = [
    "<script>document.title = 'owned'<!--.jpg",
    "\"><img src=x onerror=alert(1)>.jpg",
    "'-alert(1)-' & 花 وردة.jpg",
];

/// Retrains on photos with those names and labels. Returns the results as JSON.
fn retrain(scratch: &Scratch, flowers: &Path) -> Value {
    for (folder, label) in LABELS {
        let mut names: Vec<_> = std::fs::read_dir(flowers.join(folder))
            .expect("photos")
            .map(|entry| entry.expect("a photo").path())
            .collect();
        names.sort();
        for (index, path) in names.iter().take(60).enumerate() {
            let own = path.file_name().expect("a name").to_string_lossy();
            let name = match NAMES.get(index % 10) {
                Some(name) => format!("{index} {name}"),
                None => own.into_owned(),
            };
            let bytes = std::fs::read(path).expect("a photo");
            scratch.write(Path::new("flowers").join(label).join(name), bytes);
        }
    }
    scratch.write("flowers/tulips/no photo.jpg", "<i>no</i>");
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
        "--json",
    ]);
    command.args(["--testing-percentage", "40"]);
    let outcome = Outcome::of(command).succeeds();
    outcome.says(&["report: flowers.report.html"]).json()
}

/// JavaScript expression: text elements whose contrast with their background is below that of WCAG
/// 2.2, 4.5 to 1.
pub(crate) const TOO_FAINT: &str = r"(() => {
  const parse = text => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
  const light = colour => {
    const [r, g, b] = colour.map(value => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement)
      layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    // A tooltip is the browser's own.
    if (!own || element.localName === 'title') continue;
    const style = getComputedStyle(element);
    const back = behind(element);
    const text = over(parse(element.closest('svg') ? style.fill : style.color), back);
    const [a, b] = [light(text), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(`${element.outerHTML.slice(0, 80)}: ${ratio.toFixed(2)}`);
  }
  return faint;
})()";

/// In JavaScript: words of at most `longest` letters that are broken over lines, in elements of this `selector`.
pub fn broken_words(selector: &str, longest: usize) -> String {
    format!(
        r"[...document.querySelectorAll('{selector}')].flatMap(element => {{
    const text = element.firstChild;
    return [...text.data.matchAll(/\S+/g)].filter(word => word[0].length <= {longest}).filter(word => {{
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1;
    }}).map(word => word[0]);
  }})"
    )
}

/// Selector of names of labels in tables.
const LABEL_CELLS: &str = "#labels ~ .wide tbody th bdi, #matrix tbody th bdi";

/// In JavaScript: tables that reach beyond their frame without saying so, and those that say so and
/// do not.
const WITHOUT_A_SIGN: &str = r"[...document.querySelectorAll('.wide')].filter(frame => {
    const more = frame.scrollWidth > frame.clientWidth;
    const said = getComputedStyle(frame.querySelector('.hint')).display !== 'none';
    return more !== said;
  }).map(frame => frame.ariaLabel)";

/// In JavaScript: tables whose heading is so tall that it looks like a gap.
const TALL_HEADINGS: &str = r"[...document.querySelectorAll('table:not(.matrix)')]
  .filter(table => table.tHead.offsetHeight > 48)
  .map(table => `${table.getAttribute('aria-label') ?? table.parentElement.ariaLabel}: ${table.tHead.offsetHeight}`)";

/// In JavaScript: of each photo shown below the element `root` whether its picture is one.
fn loaded_photos(root: &str) -> String {
    format!(
        "Promise.all([...{root}.querySelectorAll('.photo')].map(async photo => {{ \
         const [, url] = getComputedStyle(photo).backgroundImage.match(/^url\\(\"(data:image\\/jpeg[^\"]+)\"\\)$/); \
         const image = new Image(); image.src = url; await image.decode(); \
         return image.naturalWidth > 20 && photo.offsetWidth > 20 && photo.ariaLabel.length > 10; }}))"
    )
}

/// Asserts that the table of test photos has them all, and is narrowed as is asked.
fn narrowed(browser: &mut Browser, json: &Value) {
    browser.evaluate("document.querySelector('#tested details').open = true");
    let visible = "[...document.querySelectorAll('#answers tbody tr')].filter(row => row.offsetHeight > 0).length";
    let tested = json["split"]["testing"].as_u64().unwrap();
    let mistakes = json["misclassified"].as_array().unwrap().len() as u64;
    assert_eq!(browser.evaluate(visible), tested);
    let unknown = json["answers"]["tested_known"]["rejected"]
        .as_u64()
        .unwrap();
    for (choice, expected) in [
        ("wrong", mistakes),
        ("right", tested - mistakes),
        ("unknown", unknown),
        ("all", tested),
    ] {
        browser.click(&format!("document.getElementById('show-{choice}')"));
        assert_eq!(browser.evaluate(visible), expected, "{choice}");
    }
    for label in 0..json["labels"].as_array().unwrap().len() {
        browser.evaluate(&format!(
            "document.querySelector('#tested select').value = {label}"
        ));
        let of_label = &json["by_label"][label]["recall"]["whole"];
        assert_eq!(browser.evaluate(visible), *of_label, "{label}");
    }
    browser.evaluate("document.querySelector('#tested select').value = 'all'");
    assert_eq!(browser.evaluate(visible), tested);
}

/// Asserts what the page says in words and figures beside its tables.
fn words(browser: &mut Browser, json: &Value) {
    // Accuracy is first and largest.
    let largest = "(() => { const size = e => parseFloat(getComputedStyle(e).fontSize); \
                   return [...document.querySelectorAll('body *')].reduce((a, b) => size(b) > size(a) ? b : a) \
                   .textContent; })()";
    let accuracy = json["int8_test_accuracy"].as_f64().unwrap();
    assert_eq!(
        browser.evaluate(largest),
        format!("{:.1}%", 100.0 * accuracy)
    );
    let text = browser.evaluate("document.body.innerText");
    let text = text.as_str().unwrap();
    let mean = json["macro_mean"]["f1"].as_f64().unwrap();
    for part in [
        "95% interval",
        "photos are named rightly",
        "of the test photos that are of the label, the part that was found",
        "of the test photos that were given the label, the part that really is of it",
        "Always naming the commonest label would get",
        "2025-11-30 00:00 UTC",
        "posy retrain --architecture mobilenet_0.25_128",
        "mobilenet_v1_0.25_128",
        "photos of 4 labels in flowers",
        "posy label --model flowers.posy ",
        "posy flash --board rp-pico flowers.posy",
        "posy check --architecture mobilenet_v1_0.25_128 --bottleneck-dir cache flowers",
        "--fine-tune 4 --output-graph flowers-fine-tuned.posy",
        "--architecture mobilenet_v1_0.50_128 --output-graph flowers-larger.posy",
        "posy compare flowers.run.json flowers-fine-tuned.run.json flowers-larger.run.json",
        &format!("{:.1}%", 100.0 * mean),
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let settings = browser.evaluate("document.querySelector('#run ~ details').textContent");
    let settings = settings.as_str().unwrap();
    for part in ["testing percentage", "40", "crop"] {
        assert!(settings.contains(part), "no {part:?} in {settings}");
    }
    let map = browser.evaluate("document.querySelector('svg.map').getAttribute('aria-label')");
    let map = map.as_str().unwrap();
    assert!(map.contains("Nearest to each other lie"), "{map}");
    let folded = "document.querySelector('#curves').parentElement.querySelector('details').open";
    assert_eq!(browser.evaluate(folded), false);
}

/// JavaScript expression: horizontal overflow of the page, pixels.
pub(crate) const BEYOND: &str =
    "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/// Keeps a screenshot for a person to look at.
pub(crate) fn keep(browser: &mut Browser, name: &str, whole: bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    let png = browser.screenshot(whole);
    std::fs::write(folder.join(name), png).expect("a picture");
}

/// JavaScript expression: number of elements that names of photos and labels must not become.
const STRAY: &str = "document.querySelectorAll('[onclick], [onerror], main b, main i, script[src], \
                     link:not([href=\"data:,\"])').length";

/// JavaScript expression: number of scripts that run.
const SCRIPTS: &str = "document.querySelectorAll('script:not([type])').length";

/// Drops a photo on the page, which gives it the laptop's answer.
fn names_a_dropped_photo(browser: &mut Browser, scratch: &Scratch) {
    browser.wait_until("document.body.dataset.state === 'ready'");
    let folder = scratch.join("flowers/tulips");
    let photo = folder.join(&scratch.names("flowers/tulips")[7]);
    // In PNG, whose pixels are the same in every decoder.
    let png = scratch.join("photo <i>1.png");
    let pixels = decode(&std::fs::read(photo).unwrap()).unwrap();
    image::save_buffer(
        &png,
        &pixels.data,
        pixels.width.into(),
        pixels.height.into(),
        image::ExtendedColorType::Rgb8,
    )
    .unwrap();
    let file = scratch.read("flowers.posy");
    let runner = Runner::new(Model::read(&file).unwrap());
    let outputs = runner.output(&pixels).unwrap();
    let ranking = Ranking::<4>::new(runner.model(), &outputs);
    browser.drop_file("document.getElementById('stage')", &png);
    browser.wait_until("!document.getElementById('photo').hidden");
    browser.wait_until("'outputs' in document.body.dataset");
    let said = browser.evaluate("document.body.dataset.outputs.split(' ').map(Number)");
    assert_eq!(said, json!(outputs));
    let shown = browser.evaluate(
        "[...document.querySelectorAll('#bars .words')].map(words => \
         [...words.children].map(part => part.textContent))",
    );
    let expected: Vec<_> = ranking
        .iter()
        .map(|one| json!([one.label, format!("{:.1}%", 100.0 * one.score.to_f32())]))
        .collect();
    assert_eq!(shown, json!(expected));
    // The figures of the labels are there again.
    let facts = "document.querySelectorAll('#bars small')[0].textContent";
    let facts = browser.evaluate(facts);
    assert!(facts.as_str().unwrap().contains(" of "), "{facts}");
    assert_eq!(
        browser.evaluate("document.getElementById('problem').hidden"),
        true
    );
    assert_eq!(browser.evaluate(STRAY), 0);
}

#[test]
fn it_opens_and_shows_the_photos_behind_each_cell() {
    let test = "report_in_a_browser";
    let Some(flowers) = data(test, "flower_photos") else {
        return;
    };
    let Some(mut browser) = Browser::start(test) else {
        return;
    };
    let scratch = Scratch::new();
    let json = retrain(&scratch, &flowers);
    let labels: Vec<&str> = json["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| label.as_str().unwrap())
        .collect();
    let count = labels.len();
    assert_eq!(count, 4);

    browser.look_like(1200, 900, false, "light");
    browser.open(&scratch.join("flowers.report.html"));

    // No script runs but the page's own, nothing is loaded, and no part of a name becomes an element.
    assert_eq!(browser.evaluate(STRAY), 0);
    assert_eq!(browser.evaluate(SCRIPTS), 1);
    let title = browser.evaluate("document.title");
    let accuracy = json["int8_test_accuracy"].as_f64().unwrap();
    assert_eq!(title, format!("flowers.posy: {:.1}%", 100.0 * accuracy));
    for label in &labels {
        let shown = format!(
            "[...document.querySelectorAll('#matrix tbody th bdi')].filter(b => b.textContent === {}).length",
            json!(label)
        );
        assert_eq!(browser.evaluate(&shown), 1, "{label}");
    }
    let direction = "[...document.querySelectorAll('#matrix tbody th bdi')].map(b => getComputedStyle(b).direction)";
    let directions = browser.evaluate(direction);
    for (index, label) in labels.iter().enumerate() {
        let expected = if *label == "ورد" { "rtl" } else { "ltr" };
        assert_eq!(directions[index], expected, "{label}");
    }
    let listed = browser.evaluate("document.querySelector('#skipped').textContent");
    assert!(
        listed.as_str().unwrap().contains("no photo.jpg: "),
        "{listed}"
    );

    // The matrix shows the counts of the results, and each cell opens its photos.
    let mut pictures = 0;
    for truth in 0..count {
        for answer in 0..count {
            let expected = json["confusion"][truth][answer].as_u64().unwrap();
            let cell = format!(
                "document.querySelector('#matrix').tBodies[0].rows[{truth}].cells[{}].firstElementChild",
                answer + 1
            );
            let text = browser.evaluate(&format!("{cell}.textContent"));
            let shown = text.as_str().unwrap().parse().unwrap_or(0);
            assert_eq!(expected, shown, "{truth} {answer}");
            if expected == 0 {
                continue;
            }
            let popup = format!("document.getElementById('photos-{truth}-{answer}')");
            let is_open = format!("{popup}.matches(':popover-open')");
            assert_eq!(browser.evaluate(&is_open), false);
            browser.click(&cell);
            assert_eq!(browser.evaluate(&is_open), true, "{truth} {answer}");
            let loaded = browser.evaluate(&loaded_photos(&popup));
            let loaded = loaded.as_array().unwrap();
            assert!(loaded.iter().all(|good| good == true), "{loaded:?}");
            let names = browser.evaluate(&format!("{popup}.querySelectorAll('.names li').length"));
            assert_eq!(loaded.len() as u64 + names.as_u64().unwrap(), expected);
            pictures += loaded.len();
            if truth == 0 && answer == 0 {
                keep(&mut browser, "report-photos.png", false);
            }
            browser.click(&format!("{popup}.querySelector('.close')"));
            assert_eq!(browser.evaluate(&is_open), false, "{truth} {answer}");
        }
    }
    assert!(pictures >= 4);
    let mistakes = json["misclassified"].as_array().unwrap().len();
    let sheet = browser.evaluate("document.querySelectorAll('#contact-sheet .photo').length");
    assert_eq!(sheet.as_u64().unwrap() as usize, mistakes.min(24));
    narrowed(&mut browser, &json);
    let answered = &json["answers"]["tested_known"];
    let unknown = browser.evaluate(
        "[...document.querySelectorAll('#matrix tbody td:last-child')].reduce((sum, cell) => \
         sum + Number(cell.textContent), 0)",
    );
    assert_eq!(unknown, answered["rejected"]);
    assert!(
        unknown.as_u64().unwrap() > 0,
        "nothing was said to be unknown: {answered}"
    );
    words(&mut browser, &json);
    names_a_dropped_photo(&mut browser, &scratch);
    let rows = browser.evaluate(
        "document.querySelector('#boards').parentElement.querySelectorAll('tbody tr').length",
    );
    assert_eq!(rows, posy::device::BOARDS.len());
    let drawings = browser.evaluate("document.querySelectorAll('.charts svg').length");
    assert_eq!(drawings, 4);

    // With the keyboard alone.
    let first = "document.querySelector('#matrix button')";
    browser.evaluate(&format!("{first}.focus()"));
    let open = "document.querySelectorAll(':popover-open').length";
    browser.press("Enter");
    assert_eq!(browser.evaluate(open), 1);
    browser.press("Escape");
    assert_eq!(browser.evaluate(open), 0);
    assert_eq!(
        browser.evaluate(&format!("document.activeElement === {first}")),
        true
    );

    // On a desk and on phones, by day and by night, with all that folds open.
    let axe = Axe::new("report_in_axe");
    browser.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)");
    // On a desktop and on phones, in light and dark schemes.
    for (name, width, phone, scheme) in [
        ("report-desk.png", 1280, false, "light"),
        ("report-desk-dark.png", 1280, false, "dark"),
        ("report-phone.png", 390, true, "light"),
        ("report-phone-dark.png", 320, true, "dark"),
    ] {
        browser.look_like(width, 800, phone, scheme);
        browser.evaluate("scrollTo({top: 0, behavior: 'instant'})");
        assert_eq!(browser.evaluate("innerWidth"), width, "{name}");
        assert_eq!(browser.evaluate(BEYOND), 0, "{name}");
        assert_eq!(browser.evaluate(TOO_FAINT), json!([]), "{name}");
        assert_eq!(
            browser.evaluate(&broken_words(LABEL_CELLS, 20)),
            json!([]),
            "{name}"
        );
        assert_eq!(browser.evaluate(WITHOUT_A_SIGN), json!([]), "{name}");
        assert_eq!(browser.evaluate(TALL_HEADINGS), json!([]), "{name}");
        if let Some(axe) = &axe {
            assert_eq!(axe.barriers(&mut browser), [], "{name}");
        }
        keep(&mut browser, name, true);
        browser.evaluate("document.getElementById('try').scrollIntoView({behavior: 'instant'})");
        keep(&mut browser, &format!("try-{name}"), false);
        let dark =
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(c => c < 50)";
        assert_eq!(browser.evaluate(dark), scheme == "dark", "{name}");
        if phone {
            browser.tap(first);
            assert_eq!(browser.evaluate(open), 1, "{name}");
            assert_eq!(browser.evaluate(BEYOND), 0, "{name}, open");
            if let Some(axe) = &axe {
                assert_eq!(axe.barriers(&mut browser), [], "{name}, open");
            }
            keep(&mut browser, &format!("open-{name}"), false);
            browser.press("Escape");
            assert_eq!(browser.evaluate(open), 0, "{name}");
        }
    }
    // A label without a place to break it at makes no part of the page wider.
    browser.look_like(390, 800, true, "light");
    browser.evaluate(
        "document.querySelectorAll('bdi').forEach(name => name.textContent = 'label_'.repeat(20))",
    );
    assert_eq!(browser.evaluate(BEYOND), 0, "long labels");
    keep(&mut browser, "report-long-labels.png", true);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let requests = browser.requests();
    let foreign = requests.iter().filter(|url| {
        !["file://", "data:", "blob:"]
            .iter()
            .any(|own| url.starts_with(own))
    });
    assert_eq!(foreign.count(), 0, "{requests:?}");
    assert_eq!(
        requests
            .iter()
            .filter(|url| url.starts_with("file://"))
            .count(),
        1,
        "{requests:?}"
    );
}

/// A page with errors, overflow or faint text is detected: the checks above can fail.
#[test]
fn a_bad_page_is_found_out() {
    let Some(mut browser) = Browser::start("bad_page") else {
        return;
    };
    let scratch = Scratch::new();
    let page = scratch.write(
        "bad.html",
        "<meta name=viewport content='width=device-width'><body style='color: #999'>\
         <p style='width: 500px'>faint<img src=missing.png><script>nonsense()</script>",
    );
    browser.look_like(390, 800, true, "light");
    browser.open(&page);
    assert!(browser.evaluate(BEYOND).as_i64().unwrap() > 0);
    assert!(!browser.evaluate(TOO_FAINT).as_array().unwrap().is_empty());
    let complaints = browser.complaints().concat();
    assert!(
        complaints.contains("nonsense is not defined"),
        "{complaints}"
    );
    assert!(
        browser
            .requests()
            .iter()
            .any(|url| url.ends_with("missing.png"))
    );
}

#[test]
fn it_lies_where_it_is_wanted_and_is_the_same_again() {
    let Some(flowers) = data("report_files", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 20);
    scratch.retrain("flowers", &["--no-report"]).succeeds();
    assert!(!scratch.join("flowers.report.html").exists());
    scratch.retrain("flowers", &[]).succeeds();
    let first = scratch.read("flowers.report.html");
    scratch.retrain("flowers", &[]).succeeds();
    assert_eq!(scratch.read("flowers.report.html"), first);
    let elsewhere = ["--report", "out/page.html"];
    scratch.retrain("flowers", &elsewhere).succeeds();
    let text = |name: &str| String::from_utf8(scratch.read(name)).expect("text");
    let there =
        text("out/page.html").replace(" <span>--report</span> <span>out/page.html</span>", "");
    assert!(
        there == text("flowers.report.html"),
        "more than the command differs"
    );
    let first_text = text("flowers.report.html");
    scratch
        .retrain("flowers", &["--report=x.html", "--no-report"])
        .fails(2, &["--no-report"]);
    // Without the part that names photos no script is in it, and none may run.
    let small = ["--report=small.html", "--no-try"];
    scratch.retrain("flowers", &small).succeeds();
    let small = text("small.html");
    for part in ["<script", "script-src", "wasm", "id=\"try\"", "#try"] {
        assert!(first_text.contains(part), "{part}");
        assert!(!small.contains(part), "{part}");
    }
    assert!(small.contains("runs no script"));
    // It grows by engine and model in base64, and by little besides.
    let parts = [SIMD128, PLAIN, &scratch.read("flowers.posy")].map(deflated);
    let parts = parts.iter().sum::<usize>() * 4 / 3;
    let grown = first_text.len() - small.len();
    assert!(grown < parts + (32 << 10), "{grown} bytes, {parts}");
}

/// Bytes that this takes deflated.
fn deflated(bytes: &[u8]) -> usize {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len()
}

/// Pictures of one colour each, a little off for each: labels that are easy and labels that are
/// not.
fn colours(scratch: &Scratch, labels: usize, photos: usize) {
    for label in 0..labels {
        for photo in 0..photos {
            let at = label * photos + photo;
            let colour = [label * 255 / labels, at * 37 % 256, at * 101 % 256].map(|c| c as u8);
            let image = image::RgbImage::from_pixel(24, 24, image::Rgb(colour));
            let path = scratch.write(format!("many/label {label:04}/{photo}.png"), b"");
            image.save(&path).expect("a picture");
        }
    }
}

/// Asserts that the page of many labels is small, and shows the confused part of the matrix alone.
fn is_bounded(scratch: &Scratch, labels: usize) {
    let page = String::from_utf8(scratch.read("many.report.html")).expect("text");
    assert!(page.len() < 4 << 20, "{} bytes", page.len());
    let said = format!("A matrix of all {labels} labels would be too large to read");
    assert!(page.contains(&said));
    let matrix = page.split_once("id=\"matrix\"").expect("a matrix").1;
    let matrix = matrix.split_once("</table>").expect("its end").0;
    let rows = matrix.matches("<tr>").count() - 1;
    assert!((2..=30).contains(&rows), "{rows} rows");
    let columns = matrix.matches("<th scope=\"col\"").count();
    assert!(
        (rows + 1..=rows + 2).contains(&columns),
        "{columns} columns of {rows} rows"
    );
    assert!(page.contains("macro mean"));
}

#[test]
fn of_many_labels_the_confused_ones_are_shown() {
    if data("report_of_many_labels", "models").is_none() {
        return;
    }
    let scratch = Scratch::new();
    colours(&scratch, 60, 6);
    let sgd = [
        "--trainer",
        "sgd",
        "--how-many-training-steps",
        "40",
        "--no-check",
    ];
    let more = [&sgd[..], &["--testing-percentage", "30"]].concat();
    let outcome = scratch.retrain("many", &more).succeeds();
    assert!(outcome.stdout.contains("Final test accuracy"), "{outcome}");
    is_bounded(&scratch, 60);
}

/// Takes minutes.
#[test]
fn a_thousand_labels_and_thirty_thousand_photos_give_a_small_page() {
    let test = "report_of_a_thousand_labels";
    if !in_full_runs(test) {
        return;
    }
    if data(test, "models").is_none() {
        return;
    }
    let scratch = Scratch::new();
    colours(&scratch, 1000, 30);
    let sgd = [
        "--trainer",
        "sgd",
        "--how-many-training-steps",
        "20",
        "--unknown",
        "off",
        "--no-check",
    ];
    scratch.retrain("many", &sgd).succeeds();
    is_bounded(&scratch, 1000);
}
