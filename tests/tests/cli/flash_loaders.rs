//! `posy flash` and boot loaders: stand-ins for `dfu-util`, for a drive, and for Arduino's loader at a serial
//! port.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use posy::device::image::Image;
use posy::device::{BOARDS, Board};
use posy_tests::scratch::{Outcome, Scratch};
use posy_tests::{pty, small_classifier};

use super::flash::{at, flash_of};

fn board(name: &str) -> &'static Board {
    BOARDS.iter().find(|board| board.name == name).unwrap()
}

/// Runs `posy flash` for a board with the commands in the folder `bin` alone on the path.
fn flash(scratch: &Scratch, board: &str, more: &[&str]) -> Outcome {
    let arguments = ["flash", "--board", board, "model.posy"];
    let mut command = scratch.command(arguments.iter().chain(more));
    command.env("PATH", scratch.join("bin"));
    Outcome::of(command)
}

/// Flash from its start: the carried program, erased flash, the model.
fn whole(board: &Board, model: &[u8]) -> Vec<u8> {
    let mut bytes = Image::of(board).unwrap().bytes().unwrap();
    bytes.resize(board.program_bytes as usize, 0xFF);
    bytes.extend(model);
    bytes
}

fn install(scratch: &Scratch, script: &str) {
    let path = scratch.write("bin/dfu-util", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn dfu_util_is_given_program_and_model_in_one_piece() {
    let scratch = Scratch::new();
    let model = small_classifier(3);
    scratch.write("model.posy", &model);
    // Some chips are gone before they have answered for the last time.
    for end in [
        "exit 0",
        "echo 'Error during download get_status' >&2; exit 74",
    ] {
        let script = format!(
            "echo \"$@\" >dfu.log; for last; do :; done; /bin/cp \"$last\" written.bin; \
             echo 'File downloaded successfully'; {end}"
        );
        install(&scratch, &script);
        let outcome = flash(&scratch, "weact-h743vi", &[]).succeeds();
        outcome.says(&[
            "dfu-util --device 0483:df11",
            "done: ",
            "next: posy monitor",
        ]);
        let log = String::from_utf8(scratch.read("dfu.log")).unwrap();
        let begin = "--device 0483:df11 --alt 0 --dfuse-address 0x08000000:leave --download ";
        assert!(log.starts_with(begin), "{log}");
        assert_eq!(
            scratch.read("written.bin"),
            whole(board("weact-h743vi"), &model)
        );
    }
    flash(&scratch, "weact-h743vi", &["--model-only"]).succeeds();
    let log = String::from_utf8(scratch.read("dfu.log")).unwrap();
    assert!(log.contains("--dfuse-address 0x08040000:leave"), "{log}");
    assert_eq!(scratch.read("written.bin"), model);
}

/// Messages of dfu-util 0.11.
#[test]
fn failures_of_dfu_util_say_what_to_do() {
    let cases = [
        (
            "dfu-util: No DFU capable USB device available",
            "hold its button BOOT0",
        ),
        (
            "dfu-util: Error during download get_status",
            "half a program",
        ),
        (
            "dfu-util: Last page at 0x0804ffff is not writeable",
            "check --board",
        ),
        (
            "dfu-util: Cannot open DFU device 0483:df11 found on devnum 3",
            "udev rule",
        ),
    ];
    for (message, advice) in cases {
        let scratch = Scratch::new();
        scratch.write("model.posy", small_classifier(3));
        install(&scratch, &format!("echo \"{message}\" >&2; exit 74"));
        let outcome = flash(&scratch, "weact-h743vi", &[]);
        outcome.fails(1, &[message, "error: dfu-util failed: ", advice]);
    }
}

#[test]
fn drives_of_other_makers_get_the_carried_program() {
    let boards = [
        ("xiao-nrf52840", "nRF52840-SeeedXiao-v1"),
        ("feather-nrf52840", "nRF52840-Feather-revD"),
    ];
    for (index, (name, id)) in boards.into_iter().enumerate() {
        let scratch = Scratch::new();
        let model = small_classifier(3);
        scratch.write("model.posy", &model);
        let info = format!("UF2 Bootloader 0.6.1\r\nModel: A Board\r\nBoard-ID: {id}\r\n");
        scratch.write("drive/INFO_UF2.TXT", info);
        flash(&scratch, name, &["--drive=drive"]).succeeds();
        let (board, flashed) = (
            board(name),
            flash_of(&scratch.read("drive/POSY.UF2"), 0xADA5_2840),
        );
        let program = Image::of(board).unwrap().bytes().unwrap();
        assert_eq!(at(&flashed, board.flash_start, program.len()), program);
        assert_eq!(at(&flashed, board.slot_start(), model.len()), model);
        // The loader keeps what is below and above.
        assert!(*flashed.first_key_value().unwrap().0 >= board.flash_start);
        let other = boards[1 - index].0;
        flash(&scratch, other, &["--drive=drive"]).fails(1, &["this is the drive of a", id]);
        flash(&scratch, other, &["--drive=bin"]).fails(1, &["RESET twice"]);
    }
}

/// Arduino's loader at the end of a pseudo-terminal: answers as a log of Arduino's IDE shows.
fn loader(mut wire: impl Read + Write, chip: &str, stop: &AtomicBool) -> Vec<u8> {
    let (mut flash, mut buffer, mut input) = (vec![0xAA; 0xF_0000], Vec::new(), Vec::new());
    let mut wanted = 0;
    let mut bytes = [0; 1024];
    while !stop.load(Ordering::Relaxed) {
        let len = match wire.read(&mut bytes) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_micros(200));
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        for &byte in &bytes[..len] {
            if wanted > 0 {
                wanted -= 1;
                buffer.push(byte);
                continue;
            }
            if byte != b'#' {
                input.push(byte);
                continue;
            }
            let command = String::from_utf8(std::mem::take(&mut input)).unwrap();
            let numbers = command[1..]
                .split(',')
                .map(|n| usize::from_str_radix(n, 16));
            let numbers: Vec<usize> = numbers.flatten().collect();
            let answer = match (&command[..1], &numbers[..]) {
                ("N", []) => "\n\r".to_owned(),
                ("V", []) => "Arduino Bootloader (SAM-BA extended) 2.0 [Arduino:IKXYZ]\n\r".into(),
                ("I", []) => format!("{chip}\n\r"),
                ("X", &[from]) => {
                    flash[from..].fill(0xFF);
                    "X\n\r".into()
                }
                ("S", &[_, len]) => {
                    wanted = len;
                    String::new()
                }
                ("Y", &[_, 0]) => "Y\n\r".into(),
                ("Y", &[to, len]) => {
                    flash[to..to + len].copy_from_slice(&buffer);
                    buffer.clear();
                    "Y\n\r".into()
                }
                ("K", []) => return flash,
                other => panic!("{other:?}"),
            };
            wire.write_all(answer.as_bytes()).unwrap();
        }
    }
    flash
}

#[test]
fn arduinos_loader_is_spoken_with_at_its_port() {
    let scratch = Scratch::new();
    let model = small_classifier(3);
    scratch.write("model.posy", &model);
    for (chip, is_right) in [("nRF52840-QIAA", true), ("SAMD21G18A", false)] {
        let (wire, _laptop) = pty::open(&scratch.join("port"));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let loader = std::thread::spawn(move || loader(wire, chip, &stopped));
        let outcome = flash(&scratch, "nano-33-ble", &["--port=port"]);
        stop.store(true, Ordering::Relaxed);
        let flash = loader.join().unwrap();
        if is_right {
            outcome.succeeds().says(&["through port", "done: "]);
            let expected = whole(board("nano-33-ble"), &model);
            assert!(flash[..expected.len()] == expected);
            assert!(flash[expected.len()..].iter().all(|&byte| byte == 0xFF));
        } else {
            outcome.fails(1, &["the chip SAMD21G18A", "no Nano 33 BLE"]);
            assert!(flash.iter().all(|&byte| byte == 0xAA));
        }
    }
    let alone = flash(&scratch, "nano-33-ble", &["--port=none", "--model-only"]);
    alone.fails(1, &["leave --model-only out", "posy push"]);
    flash(&scratch, "nano-33-ble", &["--port=none"]).fails(1, &["none: "]);
}
