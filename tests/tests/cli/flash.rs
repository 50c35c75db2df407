//! `posy flash`: dry runs, UF2 files block by block, and fake drives and probes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{EM_ARM, ET_EXEC, PT_LOAD};
use object::write::elf::{FileHeader, ProgramHeader, Writer};
use posy::device::image::IMAGES;
use posy_tests::scratch::{Outcome, Scratch};
use posy_tests::{classifier, small_classifier};

/// An ELF file with segments at these physical addresses.
fn elf(segments: &[(u32, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::new(Endianness::Little, false, &mut file);
    writer.reserve_file_header();
    writer.reserve_program_headers(segments.len() as u32);
    let offsets: Vec<usize> = segments
        .iter()
        .map(|(_, bytes)| writer.reserve(bytes.len(), 4))
        .collect();
    let header = FileHeader {
        os_abi: 0,
        abi_version: 0,
        e_type: ET_EXEC,
        e_machine: EM_ARM,
        e_entry: 0,
        e_flags: 0,
    };
    writer.write_file_header(&header).unwrap();
    writer.write_align_program_headers();
    for ((address, bytes), offset) in segments.iter().zip(&offsets) {
        writer.write_program_header(&ProgramHeader {
            p_type: PT_LOAD,
            p_flags: 0,
            p_offset: *offset as u64,
            p_vaddr: 0x2000_0000,
            p_paddr: (*address).into(),
            p_filesz: bytes.len() as u64,
            p_memsz: bytes.len() as u64 + 100,
            p_align: 4,
        });
    }
    for ((_, bytes), offset) in segments.iter().zip(offsets) {
        writer.pad_until(offset);
        writer.write(bytes);
    }
    file
}

/// A program at the start of flash: code, followed by initial values of variables.
fn program(flash: u32) -> ([u8; 5000], [u8; 7], Vec<u8>) {
    let code: [u8; 5000] = std::array::from_fn(|at| (at * 31 + at / 7) as u8);
    let values = [1, 2, 3, 4, 5, 6, 7];
    let file = elf(&[(flash, &code), (flash + 5000, &values)]);
    (code, values, file)
}

/// Flash contents that a UF2 file writes, byte by byte, by the rules of its specification.
pub(super) fn flash_of(uf2: &[u8], family: u32) -> BTreeMap<u32, u8> {
    let (blocks, rest) = uf2.as_chunks::<512>();
    assert!(rest.is_empty() && !blocks.is_empty());
    let mut flash = BTreeMap::new();
    for (number, block) in blocks.iter().enumerate() {
        let (words, _) = block.as_chunks::<4>();
        let word = |at: usize| u32::from_le_bytes(words[at]);
        assert_eq!(
            [word(0), word(1), word(127)],
            [0x0A32_4655, 0x9E5D_5157, 0x0AB1_6F30]
        );
        assert_eq!([word(2), word(4), word(7)], [0x2000, 256, family]);
        assert_eq!([word(5), word(6)], [number as u32, blocks.len() as u32]);
        for (address, byte) in (word(3)..).zip(&block[32..32 + 256]) {
            assert_eq!(flash.insert(address, *byte), None, "{address:#x} twice");
        }
    }
    flash
}

/// Bytes from an address on.
pub(super) fn at(flash: &BTreeMap<u32, u8>, address: u32, len: usize) -> Vec<u8> {
    flash
        .range(address..)
        .take(len)
        .map(|(_, byte)| *byte)
        .collect()
}

/// A scratch folder with `model.posy` and `program.elf` for flash at `flash`.
fn scratch(flash: u32) -> (Scratch, Vec<u8>) {
    let scratch = Scratch::new();
    let model = small_classifier(3);
    scratch.write("model.posy", &model);
    scratch.write("program.elf", program(flash).2);
    (scratch, model)
}

/// Runs `posy flash` with the commands in the folder `bin` alone on the path.
fn flash(scratch: &Scratch, arguments: &[&str]) -> Outcome {
    let mut command = scratch.command(["flash"].iter().chain(arguments));
    command.env("PATH", scratch.join("bin"));
    Outcome::of(command)
}

#[test]
fn a_uf2_file_has_program_and_model() {
    for (board, family, slot) in [
        ("rp-pico", 0xE48B_FF56, 0x1002_C000),
        ("rp-pico2", 0xE48B_FF59, 0x1004_0000),
    ] {
        let (scratch, model) = scratch(0x1000_0000);
        let outcome = scratch.posy([
            "flash",
            "--board",
            board,
            "model.posy",
            "--program=program.elf",
            "--output=out.uf2",
        ]);
        assert_eq!(
            outcome.succeeds().says(&["wrote out.uf2", "drive"]).stdout,
            ""
        );
        let flash = flash_of(&scratch.read("out.uf2"), family);
        let (code, values, _) = program(0x1000_0000);
        assert_eq!(at(&flash, 0x1000_0000, 5000), code);
        assert_eq!(at(&flash, 0x1000_0000 + 5000, 7), values);
        assert_eq!(at(&flash, slot, model.len()), model);
        // Whole sectors, and no others.
        let sectors = 2 + model.len().div_ceil(4096);
        assert_eq!(flash.len(), sectors * 4096);
        let outcome = scratch.posy([
            "flash",
            "--board",
            board,
            "model.posy",
            "--model-only",
            "--output=model.uf2",
        ]);
        outcome.succeeds();
        let flash = flash_of(&scratch.read("model.uf2"), family);
        assert_eq!(flash.first_key_value().unwrap().0, &slot);
        assert_eq!(at(&flash, slot, model.len()), model);
    }
}

#[test]
fn a_drive_gets_the_same_file() {
    let (scratch, _) = scratch(0x1000_0000);
    scratch.write(
        "RPI-RP2/INFO_UF2.TXT",
        "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n",
    );
    let pico = ["--board=rp-pico", "model.posy", "--program=program.elf"];
    let to_drive = [&pico[..], &["--drive=RPI-RP2"]].concat();
    let dry = flash(&scratch, &[&to_drive[..], &["--dry-run"]].concat()).succeeds();
    assert!(dry.stdout.contains("to the drive RPI-RP2"), "{dry}");
    assert_eq!(scratch.names("RPI-RP2"), ["INFO_UF2.TXT"]);
    flash(&scratch, &to_drive)
        .succeeds()
        .says(&["restarts", "next: posy monitor"]);
    flash(&scratch, &[&pico[..], &["--output=out.uf2"]].concat()).succeeds();
    assert_eq!(scratch.read("RPI-RP2/POSY.UF2"), scratch.read("out.uf2"));

    let other = ["--board=rp-pico2", "model.posy", "--program=program.elf"];
    let outcome = flash(&scratch, &[&other[..], &["--drive=RPI-RP2"]].concat());
    outcome.fails(1, &["the drive of a RPI-RP2, not of a RP2350"]);
    for folder in ["bin", "nowhere"] {
        let drive = format!("--drive={folder}");
        let outcome = flash(&scratch, &[&pico[..], &[&drive]].concat());
        outcome.fails(1, &["INFO_UF2.TXT", "BOOTSEL"]);
    }
}

#[test]
fn a_dry_run_says_each_step_and_touches_nothing() {
    let cases = [
        (
            "rp-pico",
            0x1000_0000_u32,
            "0x1002c000",
            1_916_928,
            "drive RPI-RP2",
        ),
        (
            "rp-pico2",
            0x1000_0000,
            "0x10040000",
            3_932_160,
            "drive RP2350",
        ),
        (
            "nucleo-h743zi",
            0x0800_0000,
            "0x08020000",
            1_966_080,
            "run probe-rs download --chip STM32H743ZITx --binary-format elf program.elf",
        ),
        (
            "nrf52840-dk",
            0,
            "0x00022000",
            909_312,
            "run probe-rs download --chip nRF52840_xxAA --binary-format elf program.elf",
        ),
    ];
    for (board, start, slot, room, way) in cases {
        let (scratch, model) = scratch(start);
        let dry = flash(
            &scratch,
            &[
                "--dry-run",
                "--board",
                board,
                "--program=program.elf",
                "model.posy",
            ],
        );
        let dry = dry.succeeds();
        for text in [
            format!("program: program.elf, 5007 bytes from {start:#010x}"),
            format!("model: model.posy, {} bytes from {slot}", model.len()),
            format!("room for {room}"),
            "bytes for the network".to_owned(),
            way.to_owned(),
            // Nothing is plugged in here.
            "but: ".to_owned(),
        ] {
            assert!(dry.stdout.contains(&text), "no {text:?} in\n{dry}");
        }
        assert_eq!(scratch.names("."), ["model.posy", "program.elf"]);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_numbers() {
    let scratch = Scratch::new();
    let model = classifier(1000, 1000);
    scratch.write("model.posy", &model);
    let arguments = ["--board=nrf52840-dk", "--model-only", "model.posy"];
    let numbers = format!("it takes {} of 909312 bytes of flash", model.len());
    flash(&scratch, &arguments).fails(
        1,
        &[
            "Nordic nRF52840-DK",
            &numbers,
            "of 221184 bytes of RAM",
            "rp-pico, rp-pico2",
            "posy fit",
        ],
    );
    let arguments = ["--board=rp-pico", "--model-only", "--dry-run", "model.posy"];
    flash(&scratch, &arguments).succeeds();
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let (scratch, model) = scratch(0x1000_0000);
    scratch.write("bad.posy", &model[..100]);
    scratch.write("nucleo.elf", program(0x0800_0000).2);
    scratch.write("text.elf", "a text");
    let cases: [(i32, &[&str], &[&str]); 11] = [
        (
            2,
            &["--board=pico", "model.posy"],
            &["rp-pico2", "nucleo-h743zi"],
        ),
        (2, &["model.posy"], &["--board"]),
        (
            2,
            &[
                "--board=rp-pico",
                "model.posy",
                "--model-only",
                "--program=a",
            ],
            &["--program"],
        ),
        (
            2,
            &[
                "--board=nrf52840-dk",
                "model.posy",
                "--model-only",
                "--drive=bin",
            ],
            &["has no drive", "leave --drive out"],
        ),
        (
            2,
            &["--board=rp-pico", "model.posy", "--port=bin"],
            &["leave --port out"],
        ),
        (
            1,
            &["--board=rp-pico", "bad.posy"],
            &["bad.posy: ", "copy it again"],
        ),
        (1, &["--board=rp-pico", "none.posy"], &["none.posy: "]),
        (
            1,
            &["--board=rp-pico", "model.posy", "--build"],
            &["boards/rp-pico", "leave --build out"],
        ),
        (
            1,
            &[
                "--board=rp-pico",
                "model.posy",
                "--program=none.elf",
                "--output=a.uf2",
            ],
            &["none.elf: "],
        ),
        (
            1,
            &[
                "--board=rp-pico",
                "model.posy",
                "--program=text.elf",
                "--output=a.uf2",
            ],
            &["text.elf: ", "thumbv6m-none-eabi"],
        ),
        (
            1,
            &[
                "--board=rp-pico",
                "model.posy",
                "--program=nucleo.elf",
                "--output=a.uf2",
            ],
            &["nucleo.elf: ", "0x08000000", "built for rp-pico"],
        ),
    ];
    for (code, arguments, texts) in cases {
        flash(&scratch, arguments)
            .fails(code, &["error: "])
            .says(texts);
    }
    assert!(!scratch.join("a.uf2").exists());
}

#[test]
fn without_a_drive_or_probe_rs_it_says_what_to_do() {
    let (scratch, _) = scratch(0x1000_0000);
    for (board, texts) in [
        ("rp-pico", ["RPI-RP2", "BOOTSEL", "https://probe.rs"]),
        (
            "nrf52840-dk",
            ["Nordic nRF52840-DK", "not installed", "https://probe.rs"],
        ),
    ] {
        let outcome = flash(&scratch, &["--board", board, "--model-only", "model.posy"]);
        outcome.fails(1, &texts);
    }
}

/// Fake commands.
#[cfg(unix)]
mod commands {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Installs a shell script as the command `name`.
    fn install(scratch: &Scratch, name: &str, script: &str) -> PathBuf {
        let script = format!("#!/bin/sh\n{script}\n");
        let path = scratch.write(Path::new("bin").join(name), script);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    fn text(scratch: &Scratch, name: &str) -> String {
        String::from_utf8(scratch.read(name)).unwrap()
    }

    #[test]
    fn a_probe_writes_program_then_model_then_resets() {
        let (scratch, _) = scratch(0x0800_0000);
        let log = "echo \"$@\" >>probe.log; echo working; echo progress >&2";
        install(&scratch, "probe-rs", log);
        let nucleo = [
            "--board=nucleo-h743zi",
            "model.posy",
            "--program=program.elf",
        ];
        let expected = "download --chip STM32H743ZITx --binary-format elf program.elf\n\
            download --chip STM32H743ZITx --binary-format bin --base-address 0x08020000 model.posy\n\
            reset --chip STM32H743ZITx\n";
        let dry = flash(&scratch, &[&nucleo[..], &["--dry-run"]].concat()).succeeds();
        assert!(!scratch.join("probe.log").exists());
        for line in expected.lines() {
            assert!(
                dry.stdout.contains(&format!("run probe-rs {line}\n")),
                "{dry}"
            );
        }
        // Its output is progress.
        let outcome = flash(&scratch, &nucleo).succeeds();
        assert_eq!(outcome.says(&["working", "progress", "done"]).stdout, "");
        assert_eq!(text(&scratch, "probe.log"), expected);

        // The carried program is written as it is, from a file that is gone afterwards.
        let keeps =
            "echo \"$@\" >>probe.log; for last; do :; done; cp \"$last\" . 2>/dev/null; exit 0";
        install(&scratch, "probe-rs", keeps);
        std::os::unix::fs::symlink("/bin/cp", scratch.join("bin/cp")).unwrap();
        std::fs::remove_file(scratch.join("probe.log")).unwrap();
        flash(&scratch, &nucleo[..2]).succeeds();
        let log = text(&scratch, "probe.log");
        let first = log.lines().next().unwrap();
        let path = first.strip_prefix(
            "download --chip STM32H743ZITx --binary-format bin --base-address 0x08000000 ",
        );
        let path = Path::new(path.unwrap_or_else(|| panic!("{log}")));
        assert!(!path.exists() && path.ends_with("program.bin"), "{log}");
        let image = IMAGES.iter().find(|image| image.board == "nucleo-h743zi");
        assert_eq!(scratch.read("program.bin"), image.unwrap().bytes().unwrap());
        assert!(
            log.ends_with("model.posy\nreset --chip STM32H743ZITx\n"),
            "{log}"
        );

        // A Pico without its drive, and with a named probe.
        std::fs::remove_file(scratch.join("probe.log")).unwrap();
        let pico = [
            "--board=rp-pico",
            "--model-only",
            "model.posy",
            "--probe=2e8a:000c:E66",
        ];
        flash(&scratch, &pico).succeeds();
        let probe = "--chip RP2040 --probe 2e8a:000c:E66";
        let expected = format!(
            "download {probe} --binary-format bin --base-address 0x1002c000 model.posy\nreset {probe}\n"
        );
        assert_eq!(text(&scratch, "probe.log"), expected);
    }

    /// Messages of probe-rs 0.32.0 without a probe and for an unknown chip.
    #[test]
    fn failures_of_a_probe_say_what_to_do() {
        let cases = [
            ("Error: No connected probes were found.", "udev rules"),
            (
                "Error: The requested chip 'nRF52840_xxAA' was not found in the list of known \
                 targets.",
                "install version 0.32 or later",
            ),
            ("Error: something else", "its reason is above"),
        ];
        for (message, advice) in cases {
            let (scratch, _) = scratch(0);
            let script = format!("echo \"$1\" >>probe.log; echo \"{message}\" >&2; exit 1");
            install(&scratch, "probe-rs", &script);
            let outcome = flash(
                &scratch,
                &["--board=nrf52840-dk", "model.posy", "--program=program.elf"],
            );
            outcome.fails(1, &[message, "error: probe-rs failed: ", advice]);
            assert_eq!(text(&scratch, "probe.log"), "download\n");
        }
    }

    /// A checkout whose program is built by a fake cargo.
    #[test]
    fn the_program_of_a_checkout_is_built() {
        let (scratch, model) = scratch(0x1000_0000);
        scratch.write("boards/rp-pico/Cargo.toml", "[package]");
        std::fs::create_dir(scratch.join("photos")).unwrap();
        let library = scratch.path().display();
        install(&scratch, "rustc", &format!("echo '{library}'"));
        let cargo = format!(
            "echo \"$PWD $@\" >>'{library}/cargo.log'; echo compiling >&2\n\
             echo '{{\"reason\":\"compiler-artifact\",\"executable\":\"{library}/program.elf\"}}'"
        );
        install(&scratch, "cargo", &cargo);
        let run = |more: &[&str]| {
            let arguments = [
                "flash",
                "--board=rp-pico",
                "../model.posy",
                "--build",
                "--output=../out.uf2",
            ];
            let mut command = scratch.command(arguments.iter().chain(more));
            command.env("PATH", scratch.join("bin"));
            Outcome::of({
                command.current_dir(scratch.join("photos"));
                command
            })
        };
        let dry = run(&["--dry-run"]).succeeds();
        assert!(dry.stdout.contains("cargo build --release in "), "{dry}");
        assert!(!scratch.join("cargo.log").exists() && !scratch.join("out.uf2").exists());
        run(&[]).succeeds().says(&["building", "compiling"]);
        let log = text(&scratch, "cargo.log");
        assert!(log.contains("boards/rp-pico build --release"), "{log}");
        let flash = flash_of(&scratch.read("out.uf2"), 0xE48B_FF56);
        assert_eq!(at(&flash, 0x1000_0000, 5000), program(0).0);
        assert_eq!(at(&flash, 0x1002_C000, model.len()), model);

        install(
            &scratch,
            "cargo",
            "echo 'error: no such thing' >&2; exit 101",
        );
        run(&[]).fails(1, &["no such thing", "could not be built"]);
        // The chip's core library is missing, and so is the script that provides a toolchain.
        install(&scratch, "rustc", "exit 1");
        run(&[]).fails(
            1,
            &["rustup target add thumbv6m-none-eabi", "arm-toolchain.sh"],
        );
    }
}
