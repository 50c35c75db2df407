//! The laptop's side of the link, against the firmware's own program on a pseudo-terminal.

use std::time::{Duration, Instant};

use posy::dataset::Rgb;
use posy::device::link::{Connection, Event, Finder, LinkError};
use posy_nn::run::Runner;
use posy_shared::link::View;
use posy_shared::model::Model;
use posy_tests::fake_board::{FakeBoard, HEIGHT, WIDTH};
use posy_tests::scratch::{Outcome, Scratch};
use posy_tests::{classifier, small_classifier};

/// A picture with structure.
fn scene(seed: usize) -> Vec<u8> {
    (0..3 * usize::from(WIDTH) * usize::from(HEIGHT))
        .map(|index| (index * 37 + index / 11 * (seed + 5) + seed * 13) as u8)
        .collect()
}

fn board(scratch: &Scratch, model: &[u8]) -> FakeBoard {
    let mut board = FakeBoard::new(&scratch.join("port"), model);
    board.show(&scene(1));
    board.plug_in();
    board
}

fn open(scratch: &Scratch) -> Connection {
    let port = scratch.join("port");
    Connection::open(port.to_str().unwrap(), 115_200, 1).unwrap()
}

/// The laptop's logits.
fn expected(file: &[u8], picture: &Rgb) -> Vec<i8> {
    Runner::new(Model::read(file).unwrap())
        .output(picture)
        .unwrap()
}

/// The next event that `wanted` makes something of.
fn next<T>(connection: &mut Connection, wanted: impl Fn(Event) -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        if let Some(event) = connection.next(Duration::from_millis(50)).unwrap()
            && let Some(found) = wanted(event)
        {
            return found;
        }
    }
    panic!("nothing came");
}

#[test]
fn a_model_is_pushed_and_both_sides_have_the_same_logits() {
    let scratch = Scratch::new();
    let old = small_classifier(3);
    let _board = board(&scratch, &old);
    let mut connection = open(&scratch);
    assert_eq!(connection.info().board, "rp-pico");
    assert!(connection.info().runs && connection.has(&old).unwrap());
    connection.preview(Some(View::Camera)).unwrap();
    let (number, picture) = next(&mut connection, |event| match event {
        Event::Picture(picture) => Some((picture.number, picture.to_rgb())),
        _ => None,
    });
    let answer = next(&mut connection, |event| match event {
        Event::Answer(answer) if answer.picture == number => Some(answer),
        _ => None,
    });
    assert_eq!(answer.logits, expected(&old, &picture));
    let new = small_classifier(5);
    let mut last = 0;
    let pushed = connection.push(&new, &mut |progress| {
        assert!(progress.done >= last && progress.done <= progress.all);
        last = progress.done;
    });
    let pushed = pushed.unwrap();
    assert!(!pushed.unchanged && pushed.sent > 0, "{pushed:?}");
    assert!(connection.has(&new).unwrap() && !connection.has(&old).unwrap());
    assert_eq!(
        connection.classify(&picture).unwrap(),
        expected(&new, &picture)
    );
    assert!(connection.push(&new, &mut |_| {}).unwrap().unchanged);
    // The camera's own answers are of the new model too, once the one under way has come.
    let answer = next(&mut connection, |event| match event {
        Event::Answer(answer) if answer.logits.len() == 5 => Some(answer.logits),
        _ => None,
    });
    assert_eq!(answer, expected(&new, &picture));
}

#[test]
fn a_board_that_is_unplugged_in_a_push_has_the_old_model_and_takes_the_new_one_then() {
    let scratch = Scratch::new();
    let (old, new) = (small_classifier(3), classifier(200, 40));
    let mut board = board(&scratch, &old);
    let finder = Finder {
        port: Some(scratch.join("port").to_str().unwrap().to_owned()),
        ..Finder::default()
    };
    let mut connection = finder.connect().unwrap();
    let error = connection.push(&new, &mut |progress| {
        if 2 * progress.done > progress.all {
            board.unplug();
        }
    });
    let error = error.unwrap_err();
    assert!(error.is_passing(), "{error}");
    drop(connection);
    assert!(matches!(finder.connect(), Err(LinkError::Port(_))));
    board.plug_in();
    let since = Instant::now();
    let mut connection = finder.connect_again(Duration::from_secs(10)).unwrap();
    assert!(
        since.elapsed() < Duration::from_secs(2),
        "{:?}",
        since.elapsed()
    );
    assert!(connection.has(&old).unwrap());
    let pushed = connection.push(&new, &mut |_| {}).unwrap();
    assert!(connection.has(&new).unwrap());
    assert!(
        pushed.sent < new.len(),
        "sectors that lay there were sent again: {pushed:?}"
    );
}

#[test]
fn commands_push_verify_and_capture() {
    let scratch = Scratch::new();
    let old = small_classifier(3);
    let board = board(&scratch, &old);
    let new = scratch.write("new.posy", small_classifier(4));
    let new = new.to_str().unwrap();
    let verify = ["verify", new, "--port=port"];
    scratch
        .posy(verify)
        .fails(1, &["runs another model", "posy push"]);
    let outcome = scratch
        .posy(["push", new, "--port=port", "--json"])
        .succeeds();
    assert_eq!(outcome.json()["unchanged"], false);
    scratch
        .posy(["push", new, "--port=port"])
        .succeeds()
        .says(&["has this model already"]);
    let outcome = scratch
        .posy(["verify", new, "--port=port", "--json"])
        .succeeds();
    let json = outcome.json();
    assert_eq!(
        (&json["equal"], &json["photos"], &json["logits"]),
        (&true.into(), &10.into(), &40.into())
    );
    let capture = [
        "capture",
        "studio",
        "--label=mug",
        "--count=3",
        "--interval=0",
        "--port=port",
        "--json",
    ];
    let outcome: Outcome = scratch.posy(capture).succeeds();
    let names = outcome.json()["photos"].clone();
    let names: Vec<&str> = names
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 3);
    let groups: Vec<&str> = names
        .iter()
        .map(|name| name.split("_nohash_").next().unwrap())
        .collect();
    assert!(groups.iter().all(|group| *group == groups[0]), "{names:?}");
    let photo = image::open(scratch.join("studio/photos/mug").join(names[0]))
        .unwrap()
        .into_rgb8();
    assert_eq!(
        (photo.width(), photo.height()),
        (WIDTH.into(), HEIGHT.into())
    );
    let sent = posy_tests::fake_board::rgb565(photo.as_raw());
    assert!(
        sent == *board.scene.lock().unwrap(),
        "the photo is another than the camera's frame"
    );
    let evil = [
        "capture",
        "studio",
        "--label=../mug",
        "--count=1",
        "--port=port",
    ];
    scratch.posy(evil).fails(1, &["cannot be a label"]);
}

#[test]
fn what_is_wrong_with_the_port_is_said() {
    let scratch = Scratch::new();
    let model = scratch.write("model.posy", small_classifier(3));
    let model = model.to_str().unwrap();
    let push = ["push", model, "--port=port"];
    scratch.posy(push).fails(1, &["is it plugged in"]);
    let board = board(&scratch, &[]);
    // Another program has the port.
    let connection = open(&scratch);
    scratch.posy(push).fails(1, &["no other program using it"]);
    drop(connection);
    scratch.posy(push).succeeds();
    drop(board);
    let torn = scratch.write("torn.posy", &small_classifier(3)[..100]);
    scratch
        .posy(["push", torn.to_str().unwrap(), "--port=port"])
        .fails(1, &["torn.posy"]);
}

/// The example in the docs, which knows nothing of posy but its protocol's page.
#[test]
fn another_program_takes_a_picture_and_pushes_a_model() {
    let test = "another_program_takes_a_picture_and_pushes_a_model";
    let python = |arguments: &[&str]| {
        let mut command = std::process::Command::new("python3");
        command.args(arguments);
        command
    };
    if !python(&["-c", "import serial"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("SKIPPED: {test}: no Python with pyserial (package python3-serial)");
        return;
    }
    let scratch = Scratch::new();
    let board = board(&scratch, &small_classifier(3));
    let new = small_classifier(6);
    scratch.write("new.posy", &new);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/link.py");
    let output = python(&[script, "port", "picture.ppm", "new.posy"])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let ppm = scratch.read("picture.ppm");
    let head = format!("P6 {WIDTH} {HEIGHT} 255\n");
    let pixels = ppm.strip_prefix(head.as_bytes()).expect("a picture");
    assert!(posy_tests::fake_board::rgb565(pixels) == *board.scene.lock().unwrap());
    assert!(open(&scratch).has(&new).unwrap());
}
