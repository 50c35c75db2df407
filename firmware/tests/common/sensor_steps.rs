//! The I2C transfers that set an OV2640 up.

use embedded_hal_mock::eh1::i2c::Transaction as Step;
use posy_firmware::camera::ov2640::{self, Mode};

const SENSOR: u8 = 0x30;

/// Reads the product number, which is `product`.
pub fn identity_steps(product: [u8; 2]) -> Vec<Step> {
    let mut steps = vec![Step::write(SENSOR, vec![0xFF, 0x01])];
    steps.extend(read_steps(0x0A, product[0]));
    steps.extend(read_steps(0x0B, product[1]));
    steps
}

/// Reads one register, which holds `value`.
pub fn read_steps(register: u8, value: u8) -> [Step; 2] {
    [
        Step::write(SENSOR, vec![register]),
        Step::read(SENSOR, vec![value]),
    ]
}

/// A setup without fault.
pub fn setup_steps(mode: Mode) -> Vec<Step> {
    let write = |register, value| Step::write(SENSOR, vec![register, value]);
    let mut steps = identity_steps([0x26, 0x42]);
    steps.extend([write(0xFF, 0x01), write(0x12, 0x80)]);
    for run in ov2640::SETUP {
        steps.extend(run.values.iter().map(|&value| write(run.register, value)));
    }
    steps.extend(ov2640::for_mode(mode).map(|(register, value)| write(register, value)));
    // What no picture can do without is read again.
    for (register, value) in ov2640::for_mode(mode) {
        if [0x51, 0x52, 0x5A, 0x5B].contains(&register) {
            steps.extend(read_steps(register, value));
        }
    }
    steps.extend(read_steps(0xDA, 0x08));
    steps
}

/// The test picture is asked for, or left again.
pub fn bars_steps(shown: bool) -> [Step; 3] {
    let com7 = if shown { 0x06 } else { 0x04 };
    [[0xFF, 0x01], [0x12, com7], [0xFF, 0x00]].map(|bytes| Step::write(SENSOR, bytes.to_vec()))
}
