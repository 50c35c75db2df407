//! The whole loop over USB: pictures from the Pico's own camera, training, the model over the same cable,
//! answers from it, and the same logits on both sides; unplugged, and without power, in between.

use std::path::Path;
use std::time::{Duration, Instant};

use posy::dataset::Rgb;
use posy::demo::{Flower, draw as drawing};
use posy::device::link::{Connection, Event, Finder, Picture};
use posy_nn::run::Runner;
use posy_nn::zoo::embedded;
use posy_shared::link::View;
use posy_shared::model::Model;
use posy_tests::draw::{draw, extent, in_full_runs};
use posy_tests::frames::{HEIGHT, WIDTH};
use posy_tests::graphs::small_network;
use posy_tests::live_pico::{LivePico, frame_file};
use posy_tests::pico::Pico;
use posy_tests::scratch::Scratch;
use posy_tests::{classifier, labelled_classifier, small_classifier};
use prost::Message;

/// Things that the camera sees, as a mug and a plant.
const SCENES: [(&str, Flower); 2] = [("mug", Flower::ALL[0]), ("plant", Flower::ALL[3])];

/// Pictures of each thing that are different.
const VIEWS: u64 = 3;

/// Wall time after which something that an emulated board is to do will not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Factor of time-outs: the emulator is a tenth as quick as a Pico, and what runs beside takes its share.
const SLOW: u32 = 30;

/// Frames of every scene, in the folder of `scratch`.
fn frames(scratch: &Scratch) -> Vec<String> {
    let mut names = Vec::new();
    for (label, flower) in SCENES {
        for number in 0..VIEWS {
            let picture = drawing(flower, 1, number);
            let (width, height) = (WIDTH.into(), HEIGHT.into());
            let filter = image::imageops::FilterType::Triangle;
            let picture = image::imageops::resize(&picture, width, height, filter);
            let name = format!("{label}-{number}.rgb565");
            names.push(frame_file(scratch, Path::new(&name), picture.as_raw()));
        }
    }
    names
}

fn finder(scratch: &Scratch) -> Finder {
    Finder {
        port: Some(scratch.join("port").display().to_string()),
        slow: SLOW,
        ..Finder::default()
    }
}

fn connect(scratch: &Scratch) -> Connection {
    let found = finder(scratch).connect_again(PATIENCE);
    found.unwrap_or_else(|error| panic!("{error}"))
}

/// The next event that `wanted` makes something of.
fn next<T>(connection: &mut Connection, wanted: impl Fn(Event) -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let event = connection.next(Duration::from_millis(50)).unwrap();
        if let Some(found) = event.and_then(&wanted) {
            return found;
        }
    }
    panic!("nothing came");
}

fn picture(event: Event) -> Option<Picture> {
    match event {
        Event::Picture(picture) => Some(picture),
        _ => None,
    }
}

/// The laptop's logits.
fn expected(file: &[u8], picture: &Rgb) -> Vec<i8> {
    let runner = Runner::new(Model::read(file).unwrap());
    runner.output(picture).unwrap()
}

/// Trains `model` on the photos that were captured.
fn retrain(scratch: &Scratch, backbone: &str, model: &str) -> Vec<u8> {
    let folders = ["--image-dir=studio/photos", "--bottleneck-dir=cache"];
    let (backbone, output) = (
        format!("--backbone={backbone}"),
        format!("--output-graph={model}"),
    );
    let options = ["retrain", "--head-only", "--no-float", &backbone, &output];
    scratch.posy([&options[..], &folders].concat()).succeeds();
    scratch.read(model)
}

/// Takes photos of each scene in turn, in bursts.
fn capture(scratch: &Scratch, board: &mut LivePico, label: &str, of: usize) {
    for number in 0..VIEWS {
        board.act(&format!("frame {}", of as u64 * VIEWS + number));
        let label = format!("--label={label}");
        let count = ["--count=2", "--interval=0", "--port=port", "--slow=30"];
        let words = ["capture", "studio", &label];
        scratch.posy([&words[..], &count].concat()).succeeds();
    }
}

/// The loop with the network in the file `backbone`, which is `quantised` or not; emulated milliseconds are said.
fn taught(scratch: &Scratch, pico: &Pico, backbone: &str, verified: usize, quantised: bool) {
    let mut board = LivePico::start(pico, scratch, &[], &frames(scratch));
    for (index, (label, _)) in SCENES.into_iter().enumerate() {
        capture(scratch, &mut board, label, index);
    }
    // The photos are what the camera saw.
    let shot = &scratch.names("studio/photos/plant")[0];
    let photo = image::open(scratch.join("studio/photos/plant").join(shot)).unwrap();
    let sent = posy_tests::fake_board::rgb565(photo.into_rgb8().as_raw());
    assert!(sent == scratch.read("plant-0.rgb565"));

    let first = retrain(scratch, backbone, "first.posy");
    let whole = push(scratch, &mut board, &first, false);
    capture(scratch, &mut board, "_unknown", 1);
    let second = retrain(scratch, backbone, "second.posy");
    // A network of floating-point numbers is quantised for the photos that there are.
    let head = push(scratch, &mut board, &second, quantised);
    eprintln!(
        "pushed: whole {whole:?} ms, head {head:?} ms (writing, then golden check and commit)"
    );
    assert!(whole.0 < 5000.0 && (head.0 < 500.0 || !quantised));

    // Its next answer is the new model's, for the picture that it shows.
    let mut connection = connect(scratch);
    assert!(connection.has(&second).unwrap());
    board.act("frame 0");
    connection.preview(Some(View::Input)).unwrap();
    let number = next(&mut connection, picture).number;
    next(&mut connection, |event| match event {
        Event::Answer(answer) if answer.picture.wrapping_sub(number) < 1000 => Some(answer),
        _ => None,
    });
    connection.preview(Some(View::Camera)).unwrap();
    let picture = next(&mut connection, |event| {
        picture(event).filter(|picture| picture.view == View::Camera)
    });
    let answer = next(&mut connection, |event| match event {
        Event::Answer(answer) if answer.picture == picture.number => Some(answer.logits),
        _ => None,
    });
    assert_eq!(answer, expected(&second, &picture.to_rgb()));
    drop(connection);

    let most = format!("--most={verified}");
    let verify = [
        "verify",
        "second.posy",
        "studio/photos",
        "--port=port",
        "--slow=30",
        "--json",
    ];
    let outcome = scratch.posy([&verify[..], &[&most]].concat()).succeeds();
    let json = outcome.json();
    assert_eq!(json["equal"], true);
    eprintln!("verified: {json}");
}

/// Pushes a model; emulated milliseconds of writing, and of the commit with its golden check.
fn push(scratch: &Scratch, board: &mut LivePico, file: &[u8], head_alone: bool) -> (f64, f64) {
    let mut connection = connect(scratch);
    connection.pause(true).unwrap();
    let begun = board.now().ms;
    let mut written = begun;
    let pushed = connection.push(file, &mut |progress| {
        if progress.done == progress.all {
            written = board.now().ms;
        }
    });
    let ended = board.now().ms;
    let pushed = pushed.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(pushed.head_alone, head_alone, "{pushed:?}");
    assert!(connection.has(file).unwrap());
    (written - begun, ended - written)
}

#[test]
fn its_camera_teaches_and_its_next_answer_is_the_new_models() {
    let test = "its_camera_teaches_and_its_next_answer_is_the_new_models";
    let Some(pico) = Pico::find(test) else {
        return;
    };
    let scratch = Scratch::new();
    scratch.write("network.onnx", small_network().encode_to_vec());
    taught(&scratch, pico, "network.onnx", extent(5, 50), false);
}

#[test]
fn a_mobilenet_is_taught_by_its_camera() {
    let test = "a_mobilenet_is_taught_by_its_camera";
    if !in_full_runs(test) {
        return;
    }
    let Some(pico) = Pico::find(test) else {
        return;
    };
    let scratch = Scratch::new();
    scratch.write("network.tflite", embedded::BYTES);
    taught(&scratch, pico, "network.tflite", 5, true);
}

/// Moments at which the cable is pulled.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Idle,
    Preview,
    Capture,
    Push,
    Verify,
}

const PHASES: [Phase; 5] = [
    Phase::Idle,
    Phase::Preview,
    Phase::Capture,
    Phase::Push,
    Phase::Verify,
];

#[test]
fn unplugged_at_any_moment_it_is_there_again_within_two_seconds() {
    let test = "unplugged_at_any_moment_it_is_there_again_within_two_seconds";
    let Some(pico) = Pico::find(test) else {
        return;
    };
    let scratch = Scratch::new();
    let (old, new) = (small_classifier(3), classifier(200, 40));
    let mut board = LivePico::start(pico, &scratch, &old, &frames(&scratch));
    for phase in draw(test, PHASES, 2) {
        let mut connection = connect(&scratch);
        assert!(connection.has(&old).unwrap(), "{phase:?}");
        connection.pause(true).unwrap();
        let error = match phase {
            Phase::Idle => {
                board.unplug();
                connection.identify().map(drop)
            }
            Phase::Preview => {
                connection.preview(Some(View::Camera)).unwrap();
                next(&mut connection, picture);
                board.unplug();
                loop {
                    if let Err(error) = connection.next(Duration::from_millis(50)) {
                        break Err(error);
                    }
                }
            }
            Phase::Capture => std::thread::scope(|scope| {
                let capture = scope.spawn(|| connection.capture(View::Camera).map(drop));
                // The frame is waited for, or under way.
                std::thread::sleep(Duration::from_millis(100));
                board.unplug();
                capture.join().unwrap()
            }),
            Phase::Push => connection
                .push(&new, &mut |progress| {
                    if 2 * progress.done > progress.all {
                        board.unplug();
                    }
                })
                .map(drop),
            Phase::Verify => {
                let photo = Rgb {
                    width: WIDTH,
                    height: HEIGHT,
                    data: vec![7; 3 * usize::from(WIDTH) * usize::from(HEIGHT)],
                };
                std::thread::scope(|scope| {
                    let verify = scope.spawn(|| connection.classify(&photo).map(drop));
                    std::thread::sleep(Duration::from_millis(100));
                    board.unplug();
                    verify.join().unwrap()
                })
            }
        };
        let error = error.expect_err("an unplugged board");
        assert!(error.is_passing(), "{phase:?}: {error}");
        drop(connection);
        assert!(finder(&scratch).connect().is_err());
        let since = board.now().ms;
        board.plug_in();
        let connection = connect(&scratch);
        let back_ms = board.now().ms - since;
        eprintln!("{phase:?}: back after {back_ms:.0} ms");
        assert!(back_ms < 2000.0, "{phase:?}");
        assert!(connection.has(&old).unwrap(), "{phase:?}");
    }
}

#[test]
fn power_that_fails_in_a_push_leaves_one_model_or_the_other() {
    let test = "power_that_fails_in_a_push_leaves_one_model_or_the_other";
    let Some(pico) = Pico::find(test) else {
        return;
    };
    let scratch = Scratch::new();
    // The same backbone with more labels, and another backbone.
    let kinds = [
        ("head", classifier(200, 40)),
        ("whole", classifier(150, 40)),
    ];
    let mut board = LivePico::start(pico, &scratch, &kinds[0].1, &frames(&scratch));
    let cases = (0..20).map(|case| (case % 2, case / 2));
    for (kind, at) in draw(test, cases, 2) {
        let (name, old) = &kinds[kind];
        // Models of one size, none of which lies in the slot from before, in part.
        let other = |word: &str| {
            let labels: Vec<String> = (0..42 + at)
                .map(|label| format!("{word} {label}"))
                .collect();
            labelled_classifier([200, 180][kind], &labels)
        };
        let new = &other("label");
        let mut connection = connect(&scratch);
        // Sectors that are erased already are not erased again: so a push counts only after one like it.
        let mut count = 0;
        for like in ["names", "title"] {
            connection.push(old, &mut |_| {}).unwrap();
            let before = board.now().operations;
            connection.push(&other(like), &mut |_| {}).unwrap();
            count = board.now().operations - before;
        }
        connection.push(old, &mut |_| {}).unwrap();
        // Spread over the push; the last is the commit.
        let operation = (count - 1) * at as u64 / 9;
        let share = [0.0, 0.3, 0.7, 1.0][at % 4];
        board.cut(operation, share);
        let error = connection.push(new, &mut |_| {}).map(drop);
        let error = error.expect_err("a board without power");
        assert!(error.is_passing(), "{error}");
        drop(connection);
        board.disconnect();
        board.plug_in();
        let connection = connect(&scratch);
        let ran = [old, new].map(|file| connection.has(file).unwrap());
        eprintln!(
            "{name}: power failed in write {operation} of {count}, {share} of it done: {} runs",
            if ran[0] {
                "the old model"
            } else {
                "the new model"
            }
        );
        assert!(ran[0] != ran[1], "{ran:?}: {:?}", board.lines());
    }
}

/// Pictures a second of a preview, in emulated time.
fn rate(connection: &mut Connection, board: &mut LivePico, view: View) -> f64 {
    let taken = |event| picture(event).filter(|picture| picture.view == view);
    connection.preview(Some(view)).unwrap();
    next(connection, taken);
    let begun = board.now();
    let count = 6;
    for _ in 0..count {
        next(connection, taken);
    }
    let ended = board.now();
    let rate = 1000.0 * f64::from(count) / (ended.ms - begun.ms);
    eprintln!("{view:?}: {rate:.2} pictures a second");
    rate
}

#[test]
fn pictures_come_as_fast_as_camera_and_wires_allow() {
    let test = "pictures_come_as_fast_as_camera_and_wires_allow";
    let Some(pico) = Pico::find(test) else {
        return;
    };
    let scratch = Scratch::new();
    let model = small_classifier(3);
    let mut board = LivePico::start(pico, &scratch, &model, &frames(&scratch));
    let mut connection = connect(&scratch);
    // What is classified is never small.
    assert!(connection.preview(Some(View::Small)).is_err());
    connection.pause(true).unwrap();
    // 15 frames a second, of which those are lost that come while one is read and sent.
    assert!(rate(&mut connection, &mut board, View::Camera) > 0.9 * 15.0 / 6.0);
    // Ten, but for what it takes to ask for the time.
    assert!(rate(&mut connection, &mut board, View::Small) > 9.5);
    let small = next(&mut connection, |event| {
        picture(event).filter(|picture| picture.view == View::Small)
    });
    assert_eq!((small.width, small.height), (WIDTH / 2, HEIGHT / 2));
    // Answers come again, of whole frames.
    connection.pause(false).unwrap();
    connection.preview(Some(View::Camera)).unwrap();
    let whole = next(&mut connection, |event| {
        picture(event).filter(|picture| picture.view == View::Camera)
    });
    let logits = next(&mut connection, |event| match event {
        Event::Answer(answer) if answer.picture == whole.number => Some(answer.logits),
        _ => None,
    });
    assert_eq!(logits, expected(&model, &whole.to_rgb()));
}

#[test]
fn other_cameras_give_the_laptops_logits() {
    let test = "other_cameras_give_the_laptops_logits";
    let (Some(pico), Some(bare)) = (Pico::find(test), Pico::find_bare(test)) else {
        return;
    };
    let model = small_classifier(3);
    for (camera, pico) in [("mega", pico), ("bare", bare)] {
        let scratch = Scratch::new();
        let frames = frames(&scratch);
        let mut board = LivePico::start_with(camera, pico, &scratch, &model, &frames);
        let mut connection = connect(&scratch);
        connection.preview(Some(View::Camera)).unwrap();
        // The first frame may be seen twice: it is under way as the next one is shown.
        for number in 0..extent(1, 6) {
            board.act(&format!("frame {number}"));
            let shown = next(&mut connection, picture);
            let logits = next(&mut connection, |event| match event {
                Event::Answer(answer) if answer.picture == shown.number => Some(answer.logits),
                _ => None,
            });
            assert_eq!(
                logits,
                expected(&model, &shown.to_rgb()),
                "{camera} {number}"
            );
            eprintln!("{camera} {number}: {logits:?}");
        }
    }
}
