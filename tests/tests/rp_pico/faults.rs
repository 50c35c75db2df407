//! Faults that the emulator must detect.

use crc::{CRC_32_MPEG_2, Crc};
use posy_tests::pico::{Run, after_line, after_ms, emulate, has_emulator, uf2_of};
use posy_tests::scratch::Scratch;
use serde_json::{Value, json};

const FLASH: u32 = 0x1000_0000;

/// A program of Thumb instructions at 0x10000108, after the boot stage that the boot ROM requires:
/// 252 bytes and their checksum, here without function.
fn image(code: &[u16]) -> Vec<u8> {
    let mut image = vec![0; 252];
    // The data sheet's parameters (section 2.8.1.3.1) have this name in the catalogue of CRCs.
    let checksum = Crc::<u32>::new(&CRC_32_MPEG_2).checksum(&image);
    image.extend(checksum.to_le_bytes());
    // Stack pointer and entry point.
    image.extend(0x2004_2000_u32.to_le_bytes());
    image.extend((FLASH + 0x109).to_le_bytes());
    image.extend(
        code.iter()
            .flat_map(|instruction| instruction.to_le_bytes()),
    );
    image
}

/// Runs `image` until `step` is done, for 100 emulated milliseconds at most.
fn run(image: &[u8], step: Value) -> Run {
    let scratch = Scratch::new();
    scratch.write("image.uf2", uf2_of(FLASH, image));
    let limits = json!({ "ms": 100 });
    let scenario = json!({ "images": ["image.uf2"], "steps": [step], "limits": limits });
    emulate(&scratch, &scenario)
}

#[test]
fn what_a_real_core_stops_at_ends_the_run() {
    if !has_emulator("what_a_real_core_stops_at_ends_the_run") {
        return;
    }
    let cases: [(&str, &[u16], i32, &str); 8] = [
        ("udf", &[0xDE00], 1, "an undefined instruction"),
        ("bkpt", &[0xBE00], 1, "a breakpoint"),
        ("b .", &[0xE7FE], 1, "a circle of one instruction"),
        ("wfi; b -2", &[0xBF30, 0xE7FD], 1, "nothing will wake it"),
        ("nop; b -2", &[0x46C0, 0xE7FD], 3, "a limit was reached"),
        (
            "ldr r0, =0x30000000; ldr r0, [r0]",
            &[0x4800, 0x6800, 0x0000, 0x3000],
            1,
            "invalid memory address: 30000000",
        ),
        (
            "ldr r0, =AIRCR; ldr r1, =SYSRESETREQ; str r1, [r0]",
            &[
                0x4801, 0x4902, 0x6001, 0xE7FE, 0xED0C, 0xE000, 0x0004, 0x05FA,
            ],
            1,
            "the program has reset the chip",
        ),
        ("erased flash", &[], 1, "not implemented"),
    ];
    for (name, code, exit, message) in cases {
        let run = run(&image(code), after_line("never", 1, &[]));
        assert_eq!(run.code, Some(exit), "{name}: {run}");
        assert!(run.stderr.contains(message), "{name}: {run}");
    }

    // A valid program, and one that also writes to its flash.
    run(&image(&[0x46C0, 0xE7FD]), after_ms(50, &[])).succeeds();
    let writes = image(&[0x4801, 0x6000, 0x46C0, 0xE7FD, 0x0200, 0x1000]);
    let wrote = run(&writes, after_ms(50, &[]));
    assert_eq!(wrote.code, Some(1), "{wrote}");
    assert!(wrote.stderr.contains("written to flash"), "{wrote}");
}

#[test]
fn what_the_boot_rom_would_not_take_is_not_run() {
    if !has_emulator("what_the_boot_rom_would_not_take_is_not_run") {
        return;
    }
    let image = image(&[0x46C0, 0xE7FD]);
    let mut boot = image.clone();
    boot[7] ^= 1;
    let damaged_boot = uf2_of(FLASH, &boot);
    let whole = uf2_of(FLASH, &image);
    let elsewhere = uf2_of(FLASH + 2 * 1024 * 1024, &image);
    let flipped = |at: usize| {
        let mut file = whole.clone();
        file[at] ^= 1;
        file
    };
    for (file, message) in [
        (&damaged_boot, "the boot stage has a wrong checksum"),
        (&elsewhere, "0x10200000 is not in flash"),
        (&flipped(0), "magic numbers"),
        (&flipped(511), "magic numbers"),
        (&flipped(9), "not for the RP2040's flash"),
        (&flipped(12), "not one page"),
        (&flipped(20), "numbered 1 of 16"),
        (&flipped(28), "not for the RP2040's flash"),
        (&whole[..700].to_vec(), "not whole UF2 blocks"),
        (&Vec::new(), "not whole UF2 blocks"),
    ] {
        let scratch = Scratch::new();
        scratch.write("image.uf2", file);
        let steps = [after_ms(1, &[])];
        let run = emulate(
            &scratch,
            &json!({ "images": ["image.uf2"], "steps": steps }),
        );
        assert_eq!(run.code, Some(2), "{message}: {run}");
        assert!(run.stderr.contains(message), "{message}: {run}");
    }
}
