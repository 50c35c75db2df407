//! A laptop connected to a board: what it asks for and what it gets.

mod common;

use std::sync::{Arc, Mutex};

use common::flash::Chip;
use common::laptop::{Laptop, Replied, frame, noise};
use common::plugged::{nothing_left, plug_in};
use common::small::{classifier, small_classifier};
use common::{frame_bytes, logits_of};
use posy_firmware::camera::{Camera, Fault, FaultyCamera, FrameFormat, StoredFrame};
use posy_shared::engine::Engine;
use posy_shared::image::{ImageView, PixelFormat};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::link::{Ask, CHUNK, FRAME_LEN, Refusal, SILENCE_MS, VERSION, View};
use posy_shared::model::Model;
use posy_shared::picture::Picture;
use posy_shared::preprocess::Size;

const WIDTH: u16 = 160;
const HEIGHT: u16 = 120;
const FRAME_LEN_BYTES: usize = 2 * WIDTH as usize * HEIGHT as usize;
const SLOT_LEN: usize = 64 * 1024;

/// A camera that owns its one frame.
struct Scene(Vec<u8>, usize);

impl Camera for Scene {
    type Error = std::convert::Infallible;

    fn format(&self) -> FrameFormat {
        FrameFormat {
            width: WIDTH,
            height: HEIGHT,
            pixels: PixelFormat::Rgb565Be,
        }
    }

    fn capture(&mut self) -> Result<(), Self::Error> {
        self.1 = 0;
        Ok(())
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        row.copy_from_slice(&self.0[self.1 * row.len()..][..row.len()]);
        self.1 += 1;
        Ok(())
    }
}

fn scene() -> Vec<u8> {
    frame_bytes(FRAME_LEN_BYTES, 3)
}

fn chip(slot: &[u8], left: &Arc<Mutex<Vec<u8>>>) -> Chip<4096, 4> {
    Chip::new(slot, SLOT_LEN, left)
}

/// A board with `slot` in its flash, connected.
fn connected(slot: &[u8]) -> Laptop {
    let mut laptop = plug_in(Scene(scene(), 0), chip(slot, &nothing_left()));
    laptop.hello(77).unwrap();
    laptop
}

/// Logits of the scene, as the laptop has them.
fn expected(file: &[u8]) -> Vec<i8> {
    let bytes = scene();
    let view = ImageView::packed(WIDTH, HEIGHT, PixelFormat::Rgb565Be, &bytes).unwrap();
    logits_of(&mut StoredFrame::new(view), file).unwrap()
}

/// Rows of the network's input for the scene.
fn input_rows(file: &[u8]) -> Vec<Vec<u8>> {
    let model = Model::read(file).unwrap();
    let mut arena = vec![0; model.plan().arena_len];
    let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
    let mut scratch = [0; 1000];
    let size = Size {
        width: WIDTH,
        height: HEIGHT,
    };
    let mut picture = Picture::begin(&mut engine, size, &mut scratch).unwrap();
    let mut rows = Vec::new();
    let bytes = scene();
    let view = ImageView::packed(WIDTH, HEIGHT, PixelFormat::Rgb565Be, &bytes).unwrap();
    let mut rgb = vec![0; 3 * usize::from(WIDTH)];
    for y in 0..HEIGHT {
        posy_shared::image::unpack_row(PixelFormat::Rgb565Be, view.row(y).unwrap(), &mut rgb)
            .unwrap();
        picture
            .push_rgb_seen(&rgb, &mut |row| {
                rows.push(row.iter().map(|&number| number as u8).collect());
            })
            .unwrap();
    }
    rows
}

fn refused(refusal: Refusal) -> Replied {
    Replied::Refused(refusal, String::new())
}

#[test]
fn until_a_laptop_speaks_a_board_sends_text_alone_and_goes_on_with_it_after() {
    let file = small_classifier(5);
    let mut laptop = plug_in(Scene(scene(), 0), chip(&file, &nothing_left()));
    let lines = laptop.until_lines(9);
    assert!(
        lines[0].starts_with("posy: laptop, small, 5 labels"),
        "{lines:?}"
    );
    assert_eq!((laptop.answers.len(), laptop.damaged), (0, 0));
    laptop.hello(9).unwrap();
    let before = laptop.lines().len();
    laptop.type_in("s");
    let lines = laptop.until_lines(before + 4);
    let said = &lines[before..];
    assert!(
        said.iter().any(|line| line.starts_with("posy: RAM ")),
        "{said:?}"
    );
    let logits = expected(&file);
    assert!(said.contains(&format!("logits {logits:?}")));
    // And the same as a message.
    assert!(!laptop.answers.is_empty());
    assert!(laptop.answers.iter().all(|answer| answer.logits == logits));
    laptop.unplug();
}

#[test]
fn a_board_introduces_itself() {
    let file = small_classifier(5);
    let mut laptop = connected(&file);
    let Replied::Identity {
        board,
        slot_len,
        sector_len,
        write_len,
        generation,
        base,
        model: Some(model),
        runs: true,
    } = laptop.ask(Ask::Identify).unwrap()
    else {
        panic!("no identity of a board with a model");
    };
    assert_eq!(board, "laptop");
    assert_eq!(
        [slot_len, sector_len, write_len],
        [SLOT_LEN as u32, 4096, 4]
    );
    assert_eq!((generation, model.generation, model.at), (1, 0, 0));
    let field = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(model.head_crc, field(28));
    assert_eq!((model.base, base), (0, field(28)));
    assert_eq!(model.backbone_crc, field(36));
    laptop.unplug();
}

#[test]
fn another_version_another_connection_and_a_reset_are_told_apart() {
    let file = small_classifier(5);
    let mut laptop = plug_in(Scene(scene(), 0), chip(&file, &nothing_left()));
    laptop.epoch = 5;
    let version = VERSION + 1;
    let speaks = VERSION;
    let reply = laptop.ask(Ask::Hello { version }).unwrap();
    assert_eq!(reply, refused(Refusal::Version { speaks }));
    assert_eq!(laptop.ask(Ask::Pause).unwrap(), refused(Refusal::Epoch));
    laptop.hello(5).unwrap();
    laptop.done(Ask::Pause).unwrap();
    laptop.epoch = 6;
    assert_eq!(laptop.ask(Ask::Resume).unwrap(), refused(Refusal::Epoch));
    laptop.unplug();
    // The same laptop, the board anew.
    let mut laptop = plug_in(Scene(scene(), 0), chip(&file, &nothing_left()));
    laptop.epoch = 5;
    assert_eq!(laptop.ask(Ask::Pause).unwrap(), refused(Refusal::Epoch));
    laptop.unplug();
}

#[test]
fn a_board_pauses_and_goes_on_by_request_or_once_the_laptop_is_silent() {
    let mut laptop = connected(&small_classifier(5));
    laptop.done(Ask::Pause).unwrap();
    let (lines, answers) = (laptop.lines().len(), laptop.answers.len());
    for _ in 0..100 {
        laptop.turn().unwrap();
    }
    assert_eq!(
        (laptop.lines().len(), laptop.answers.len()),
        (lines, answers)
    );
    laptop.done(Ask::Resume).unwrap();
    laptop.until_lines(lines + 2);
    laptop.done(Ask::Pause).unwrap();
    // A turn takes a millisecond or two of the board's clock.
    for _ in 0..SILENCE_MS / 3 {
        laptop.turn().unwrap();
    }
    laptop.done(Ask::KeepAlive).unwrap();
    let lines = laptop.lines().len();
    for _ in 0..2 * SILENCE_MS {
        laptop.turn().unwrap();
        if laptop.lines().len() > lines {
            break;
        }
    }
    assert!(laptop.lines().len() > lines);
    assert_eq!(laptop.ask(Ask::Identify).unwrap(), refused(Refusal::Epoch));
    laptop.unplug();
}

#[test]
fn pictures_are_the_cameras_and_the_networks() {
    let file = small_classifier(5);
    let mut laptop = connected(&file);
    laptop.done(Ask::Pause).unwrap();
    let bytes = scene();
    let rows: Vec<Vec<u8>> = bytes
        .chunks(2 * usize::from(WIDTH))
        .map(<[u8]>::to_vec)
        .collect();
    for (view, rows) in [(View::Camera, rows), (View::Input, input_rows(&file))] {
        laptop.pictures.clear();
        laptop.done(Ask::Capture { view }).unwrap();
        assert_eq!(laptop.pictures.len(), 1);
        assert_eq!(laptop.pictures[0].frame.view, view);
        assert_eq!(usize::from(laptop.pictures[0].frame.height), rows.len());
        assert_eq!(laptop.pictures[0].rows, rows, "{view:?}");
        // One after another while paused, and with every answer otherwise.
        laptop.done(Ask::Preview { view: Some(view) }).unwrap();
        for _ in 0..5 {
            laptop.turn().unwrap();
        }
        laptop.done(Ask::Resume).unwrap();
        laptop.answers.clear();
        while laptop.answers.len() < 3 {
            laptop.turn().unwrap();
        }
        laptop.done(Ask::Pause).unwrap();
        laptop.done(Ask::Preview { view: None }).unwrap();
        assert!(laptop.pictures.len() > 6, "{}", laptop.pictures.len());
        for pair in laptop.pictures.windows(2) {
            assert_eq!(pair[1].frame.frame, pair[0].frame.frame + 1);
        }
        assert!(
            laptop
                .pictures
                .iter()
                .all(|picture| picture.rows == rows && !picture.torn)
        );
        let answer = laptop.answers.last().unwrap();
        assert_eq!(answer.logits, expected(&file));
        let of = |frame| {
            laptop
                .pictures
                .iter()
                .any(|picture| picture.frame.frame == frame)
        };
        assert!(of(answer.frame));
    }
    laptop.unplug();
}

#[test]
fn a_torn_picture_is_told() {
    let bytes: &'static [u8] = Vec::leak(scene());
    let view = ImageView::packed(WIDTH, HEIGHT, PixelFormat::Rgb565Be, bytes).unwrap();
    let faults: &'static [Fault] = &[Fault::Row(7)];
    let camera = FaultyCamera::new(StoredFrame::new(view), faults);
    // No model: nothing is classified, and pictures there are all the same.
    let mut laptop = plug_in(camera, chip(&[], &nothing_left()));
    laptop.hello(1).unwrap();
    let view = View::Input;
    let reply = laptop.ask(Ask::Capture { view }).unwrap();
    assert_eq!(reply, refused(Refusal::NoModel));
    let view = View::Camera;
    let reply = laptop.ask(Ask::Capture { view }).unwrap();
    let reason = "injected: row 7 could not be read".to_owned();
    assert_eq!(reply, Replied::Refused(Refusal::Camera, reason));
    assert!(laptop.pictures[0].torn);
    assert_eq!(laptop.pictures[0].rows.len(), 7);
    laptop.done(Ask::Capture { view }).unwrap();
    assert_eq!(laptop.pictures[1].rows.len(), usize::from(HEIGHT));
    laptop.unplug();
}

#[test]
fn rows_of_the_laptop_give_its_logits() {
    let file = small_classifier(5);
    let mut laptop = connected(&file);
    laptop.done(Ask::Pause).unwrap();
    let (frame, bytes) = (frame(WIDTH, HEIGHT), scene());
    let logits = Replied::Logits(expected(&file));
    assert_eq!(laptop.classify(&frame, &bytes).unwrap(), logits);
    // A lost answer is given again; a new request for it is out of order.
    assert_eq!(laptop.ask_again(Ask::Finish).unwrap(), logits);
    assert_eq!(laptop.ask(Ask::Finish).unwrap(), refused(Refusal::Order));
    // A row again, one left out, one of another length, one too few.
    let row = &bytes[..frame.row_len()];
    let begin = Ask::Begin {
        width: WIDTH,
        height: HEIGHT,
        pixels: PixelFormat::Rgb565Be,
    };
    let row_at = |index| Ask::Row { index, bytes: row };
    laptop.done(begin).unwrap();
    laptop.done(row_at(0)).unwrap();
    laptop.done(row_at(0)).unwrap();
    assert_eq!(laptop.ask(row_at(2)).unwrap(), refused(Refusal::Order));
    let short = Ask::Row {
        index: 1,
        bytes: &row[1..],
    };
    assert_eq!(laptop.ask(short).unwrap(), refused(Refusal::Range));
    laptop.done(row_at(1)).unwrap();
    assert_eq!(laptop.ask(Ask::Finish).unwrap(), refused(Refusal::Order));
    // Another request in the middle is answered, and ends the picture.
    laptop.done(begin).unwrap();
    assert!(matches!(
        laptop.ask(Ask::Identify).unwrap(),
        Replied::Identity { .. }
    ));
    assert_eq!(laptop.ask(row_at(0)).unwrap(), refused(Refusal::Order));
    for (width, height) in [(0, 1), (1, 0), (u16::MAX, 1)] {
        let pixels = PixelFormat::Grey8;
        let begin = Ask::Begin {
            width,
            height,
            pixels,
        };
        assert_eq!(laptop.ask(begin).unwrap(), refused(Refusal::Range));
    }
    laptop.unplug();
}

#[test]
fn a_head_and_a_whole_model_are_pushed_and_answer_without_a_restart() {
    let first = small_classifier(3);
    let mut laptop = connected(&first);
    let mut backbone = 4096;
    // The same backbone under another head, another backbone, and back.
    for (file, stays) in [
        (small_classifier(5), true),
        (classifier(9, 4), false),
        (classifier(9, 4), true),
        (small_classifier(4), false),
    ] {
        let before = laptop.lines().len();
        let place = laptop.push(&file).unwrap();
        assert!(!place.clears);
        let lines = laptop.until_lines(before + 5);
        let labels = Model::read(&file).unwrap().label_len();
        let intro = format!("posy: laptop, small, {labels} labels, {} bytes", file.len());
        assert!(lines.contains(&intro), "{lines:?}");
        laptop.answers.clear();
        while laptop.answers.is_empty() {
            laptop.turn().unwrap();
        }
        assert_eq!(laptop.answers[0].logits, expected(&file));
        let Replied::Identity {
            model: Some(model), ..
        } = laptop.ask(Ask::Identify).unwrap()
        else {
            panic!("no model");
        };
        assert_eq!(
            (model.at, model.backbone_offset),
            (place.head, place.backbone)
        );
        assert_eq!(place.backbone == backbone, stays);
        backbone = place.backbone;
    }
    laptop.unplug();
}

#[test]
fn a_model_comes_into_an_empty_slot_and_over_something_else() {
    for slot in [vec![], vec![7; SLOT_LEN]] {
        let mut laptop = connected(&slot);
        let file = small_classifier(5);
        laptop.push(&file).unwrap();
        while laptop.answers.is_empty() {
            laptop.turn().unwrap();
        }
        assert_eq!(laptop.answers[0].logits, expected(&file));
        laptop.unplug();
    }
}

#[test]
fn the_running_model_cannot_be_written_over_nor_a_bad_one_committed() {
    let file = small_classifier(5);
    let mut laptop = connected(&file);
    assert_eq!(
        laptop.ask(Ask::Erase { sector: 0 }).unwrap(),
        refused(Refusal::InUse)
    );
    let backbone = (file.len() as u32 - 1) / 4096;
    let sector = backbone;
    assert_eq!(
        laptop.ask(Ask::Erase { sector }).unwrap(),
        refused(Refusal::InUse)
    );
    for sector in [16, u32::MAX, u32::MAX / 4096 + 1] {
        assert_eq!(
            laptop.ask(Ask::Erase { sector }).unwrap(),
            refused(Refusal::Range)
        );
    }
    let write = |offset, bytes| Ask::Write { offset, bytes };
    let free = SLOT_LEN as u32 - 4096;
    let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
    for (ask, refusal) in [
        (write(0, &bytes[..]), Refusal::InUse),
        (write(free + 2, &bytes), Refusal::Range),
        (write(free, &bytes[..3]), Refusal::Range),
        (write(SLOT_LEN as u32 - 4, &bytes), Refusal::Range),
        (write(u32::MAX - 3, &bytes), Refusal::Range),
        (write(free, &[0; CHUNK + 4]), Refusal::Range),
    ] {
        assert_eq!(laptop.ask(ask).unwrap(), refused(refusal), "{ask:?}");
    }
    laptop.done(write(free, &bytes)).unwrap();
    laptop.done(write(free, &bytes)).unwrap();
    let other = write(free, &[0; 8]);
    assert_eq!(laptop.ask(other).unwrap(), refused(Refusal::NotErased));
    laptop
        .done(Ask::Erase {
            sector: free / 4096,
        })
        .unwrap();
    for (first, count) in [(0, 65), (0, 17), (16, 1), (u32::MAX, 1)] {
        let ask = Ask::Checksums { first, count };
        assert_eq!(laptop.ask(ask).unwrap(), refused(Refusal::Range));
    }

    let next = small_classifier(3);
    let (place, prelude) = laptop.write_model(&next).unwrap();
    let at = place.head;
    let commit = |at, prelude| Ask::Commit { at, prelude };
    for (ask, refusal) in [
        (commit(at, &prelude[..31]), Refusal::Range),
        (commit(at + 4, &prelude), Refusal::Range),
        (commit(0, &prelude), Refusal::NotErased),
        (commit(1 << 31, &prelude), Refusal::Range),
    ] {
        assert_eq!(laptop.ask(ask).unwrap(), refused(refusal), "{ask:?}");
    }
    // Damaged, and one that computes otherwise here.
    let mut damaged = prelude;
    damaged[28] ^= 1;
    let ask = commit(at, &damaged);
    let Replied::Refused(Refusal::Model, reason) = laptop.ask(ask).unwrap() else {
        panic!("a damaged model was committed");
    };
    assert!(reason.starts_with("the model is damaged (CRC "), "{reason}");
    let wrong = wrong_golden(&next);
    let (place, wrong) = laptop.write_model(&wrong).unwrap();
    let ask = commit(place.head, &wrong);
    let Replied::Refused(Refusal::Model, reason) = laptop.ask(ask).unwrap() else {
        panic!("a model that computes otherwise was committed");
    };
    assert!(reason.starts_with("golden check failed"), "{reason}");
    // The old one runs on.
    laptop.answers.clear();
    while laptop.answers.is_empty() {
        laptop.turn().unwrap();
    }
    assert_eq!(laptop.answers[0].logits, expected(&file));
    // And a sound one is still taken; its commit may come twice.
    let (place, prelude) = laptop.write_model(&next).unwrap();
    let ask = commit(place.head, &prelude);
    laptop.done(ask).unwrap();
    laptop.done(ask).unwrap();
    laptop.unplug();
}

/// The file with another golden answer, its checksum right.
fn wrong_golden(file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let header_end = 48 + u32::from_le_bytes(file[32..36].try_into().unwrap()) as usize;
    file[header_end - 1] ^= 1;
    let head = u32::from_le_bytes(file[16..20].try_into().unwrap()) as usize;
    let prelude = posy_shared::model::Prelude::parse(&file).unwrap();
    let sealed = prelude.sealed(&file[32..head]).to_bytes();
    file[..32].copy_from_slice(&sealed);
    file
}

/// Every 1,000th byte is damaged, each way: what is asked for is done in the end, and done right.
#[test]
fn a_bad_line_costs_time_alone() {
    let first = small_classifier(3);
    let mut laptop = connected(&first);
    laptop.noise = noise(1000, 4);
    for file in [small_classifier(5), classifier(9, 4), small_classifier(4)] {
        laptop.push(&file).unwrap();
        let reply = laptop.classify(&frame(WIDTH, HEIGHT), &scene());
        assert_eq!(reply.unwrap(), Replied::Logits(expected(&file)));
    }
    let (repeats, damaged) = (laptop.repeats, laptop.damaged);
    assert!(repeats > 50 && damaged > 0, "{repeats} {damaged}");
    laptop.unplug();
}

#[test]
fn there_is_no_boot_loader_here_and_no_request_of_tomorrow() {
    let mut laptop = connected(&small_classifier(3));
    assert_eq!(
        laptop.ask(Ask::Restart).unwrap(),
        refused(Refusal::Unsupported)
    );
    const { assert!(FRAME_LEN > CHUNK) };
    laptop.unplug();
}
