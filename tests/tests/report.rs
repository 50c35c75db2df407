//! The report of a run, in a real browser.

use std::path::Path;

use posy_tests::browser::Browser;
use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};
use serde_json::{Value, json};

/// Folders of photos by the label that they get: right to left, of other letters, and such as mean
/// something in HTML.
const LABELS: [(&str, &str); 4] = [
    ("daisy", "雏菊"),
    ("roses", "ورد"),
    ("sunflowers", "<b onclick=alert(1)>&amp; 'sun'\"flowers"),
    ("tulips", "tulips"),
];
/// Names of photos that would do harm where they are not escaped.
const NAMES: [&str; 3] = [
    "<script>document.title = 'owned'<!--.jpg",
    "\"><img src=x onerror=alert(1)>.jpg",
    "'-alert(1)-' & 花 وردة.jpg",
];

/// Photos under those names and labels, retrained on; the results as JSON.
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
    let mut command = scratch.command(["retrain", "--architecture", "mobilenet_0.25_128"]);
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

/// In JavaScript: elements with text of their own whose contrast with what lies behind is below
/// that of WCAG 2.2, 4.5 to 1.
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
    if (!own) continue;
    const style = getComputedStyle(element);
    const back = behind(element);
    const text = over(parse(element.closest('svg') ? style.fill : style.color), back);
    const [a, b] = [light(text), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(`${element.outerHTML.slice(0, 80)}: ${ratio.toFixed(2)}`);
  }
  return faint;
})()";

/// How far the page reaches beyond the window, pixels.
pub(crate) const BEYOND: &str = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/// Keeps a picture for a person to look at.
pub(crate) fn keep(browser: &mut Browser, name: &str, whole: bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    let png = browser.screenshot(whole);
    std::fs::write(folder.join(name), png).expect("a picture");
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

    // Nothing runs, nothing is loaded, nothing of a name becomes a part of the page.
    let stray = "document.querySelectorAll('script, [onclick], [onerror], main b, main i, link:not([href=\"data:,\"])').length";
    assert_eq!(browser.evaluate(stray), 0);
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
    let listed = browser.evaluate("document.querySelector('#split').parentElement.textContent");
    assert!(
        listed.as_str().unwrap().contains("no photo.jpg: "),
        "{listed}"
    );

    // The matrix has the counts of the results, and each cell opens its photos.
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
            let loaded = browser.evaluate(&format!(
                "Promise.all([...{popup}.querySelectorAll('img')].map(async i => {{ await i.decode(); \
                 return i.src.startsWith('data:image/jpeg') && i.naturalWidth > 20 && i.offsetWidth > 20; }}))"
            ));
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
    let sheet = browser.evaluate("document.querySelectorAll('#contact-sheet img').length");
    assert_eq!(sheet.as_u64().unwrap() as usize, mistakes.min(24));
    let rows = browser.evaluate(
        "document.querySelector('#boards').parentElement.querySelectorAll('tbody tr').length",
    );
    assert_eq!(rows, posy::device::BOARDS.len());
    let drawings = browser.evaluate("document.querySelectorAll('.charts svg').length");
    assert_eq!(drawings, 4);

    // By keyboard alone.
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

    // On a desk and on phones, by day and by night.
    for (name, width, phone, scheme) in [
        ("report-desk.png", 1200, false, "light"),
        ("report-desk-dark.png", 1200, false, "dark"),
        ("report-phone.png", 390, true, "light"),
        ("report-phone-dark.png", 320, true, "dark"),
    ] {
        browser.look_like(width, 800, phone, scheme);
        browser.evaluate("scrollTo(0, 0)");
        assert_eq!(browser.evaluate("innerWidth"), width, "{name}");
        assert_eq!(browser.evaluate(BEYOND), 0, "{name}");
        assert_eq!(browser.evaluate(TOO_FAINT), json!([]), "{name}");
        keep(&mut browser, name, true);
        let dark =
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(c => c < 50)";
        assert_eq!(browser.evaluate(dark), scheme == "dark", "{name}");
        if phone {
            browser.tap(first);
            assert_eq!(browser.evaluate(open), 1, "{name}");
            assert_eq!(browser.evaluate(BEYOND), 0, "{name}, open");
            keep(&mut browser, &format!("open-{name}"), false);
            browser.press("Escape");
            assert_eq!(browser.evaluate(open), 0, "{name}");
        }
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let requests = browser.requests();
    let foreign = requests
        .iter()
        .filter(|url| !url.starts_with("file://") && !url.starts_with("data:"));
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

/// A page that complains is heard, one that is too wide or too faint is seen: the checks above can
/// fail.
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
    scratch
        .retrain("flowers", &["--report", "out/page.html"])
        .succeeds();
    assert_eq!(scratch.read("out/page.html"), first);
    scratch
        .retrain("flowers", &["--report=x.html", "--no-report"])
        .fails(2, &["--no-report"]);
}
