//! The OV2640 sensor: which registers make it send RGB565.
//!
//! Names, bits and fields of registers are those by which Linux's driver for this sensor knows them
//! (`drivers/media/i2c/ov2640.c`). Registers without a name are reserved: their meaning is not
//! public, and the values are the reference settings that Linux's driver and ArduCAM's
//! (`RPI-Pico-Cam`, QVGA in RGB565) send alike. Of the two the picture is not mirrored, as in
//! Linux's. QQVGA follows from the fields by one halving more.
//!
//! The sensor scans its whole array (1600 x 1200) and its signal processor scales down in two
//! steps: by a power of two, then by the zoom, which a whole number of pixels leaves.

use posy_shared::image::PixelFormat;

use crate::camera::FrameFormat;

/// Address on the sensor bus (SCCB, which is I2C without repeated starts), 7 bits.
pub const ADDRESS: u8 = 0x30;

/// Chooses which of two register banks is spoken to.
pub const BANK: u8 = 0xFF;
/// [`BANK`]: the signal processor.
pub const BANK_DSP: u8 = 0x00;
/// [`BANK`]: the sensor.
pub const BANK_SENSOR: u8 = 0x01;

/// Sensor bank: product number, high byte.
pub const PIDH: u8 = 0x0A;
/// Sensor bank: product number, low byte, with the revision.
pub const PIDL: u8 = 0x0B;

/// Sensor bank, COM7: reset, array mode, test pattern.
pub const COM7: u8 = 0x12;
/// [`COM7`]: all registers to their defaults.
pub const COM7_RESET: u8 = 0x80;
/// [`COM7`]: whole array, zoom on.
const COM7_UXGA_ZOOM: u8 = 0x04;
/// [`COM7`]: colour bars instead of the picture.
const COM7_COLOUR_BARS: u8 = 0x02;

/// Signal processor's bank, IMAGE_MODE: format of the output; YUV422 by default.
pub const IMAGE_MODE: u8 = 0xDA;
/// [`IMAGE_MODE`]: RGB565, high byte first.
pub const IMAGE_MODE_RGB565: u8 = 0x08;

/// Milliseconds that the sensor is given after a reset.
pub const RESET_MS: u32 = 100;

/// Returns true if a product number is an OV2640's: 0x26, then 0x40 to 0x42 by revision.
pub const fn is_ov2640(product: [u8; 2]) -> bool {
    product[0] == 0x26 && matches!(product[1], 0x40..=0x42)
}

/// Size of the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// 320 x 240.
    Qvga,
    /// 160 x 120.
    Qqvga,
}

/// Output of the sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Size of the frames.
    pub resolution: Resolution,
    /// Eight colour bars instead of the picture, to test everything behind the lens.
    pub colour_bars: bool,
}

impl Mode {
    /// Pictures of this size.
    pub const fn picture(resolution: Resolution) -> Self {
        Mode {
            resolution,
            colour_bars: false,
        }
    }

    /// The frames: RGB565, high byte first.
    pub const fn format(self) -> FrameFormat {
        let (width, height) = match self.resolution {
            Resolution::Qvga => (320, 240),
            Resolution::Qqvga => (160, 120),
        };
        FrameFormat {
            width,
            height,
            pixels: PixelFormat::Rgb565Be,
        }
    }
}

/// Values written one after another to one register: most take one; tables are behind a port that
/// moves on by itself.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The register.
    pub register: u8,
    /// Values written to it, in order.
    pub values: &'static [u8],
}

const fn run(register: u8, values: &'static [u8]) -> Run {
    Run { register, values }
}

/// Settings of every mode after a reset, in order; [`for_mode`] follows.
pub const SETUP: &[Run] = &[
    run(BANK, &[BANK_DSP]),
    run(0x2C, &[0xFF]),
    run(0x2E, &[0xDF]),
    run(BANK, &[BANK_SENSOR]),
    run(0x3C, &[0x32]),
    // CLKRC: the clock undivided. COM2: outputs drive three times the least load.
    run(0x11, &[0x00]),
    run(0x09, &[0x02]),
    // REG04: neither mirrored nor upside down, HREF on.
    run(0x04, &[0x28]),
    // COM8: automatic gain and exposure, banding filter. COM9: gain at most 8.
    run(0x13, &[0xE5]),
    run(0x14, &[0x48]),
    // Reserved: the analogue part for the whole array.
    run(0x2C, &[0x0C]),
    run(0x33, &[0x78]),
    run(0x3A, &[0x33]),
    run(0x3B, &[0xFB]),
    run(0x3E, &[0x00]),
    run(0x43, &[0x11]),
    run(0x16, &[0x10]),
    run(0x39, &[0x02]),
    run(0x35, &[0x88]),
    run(0x22, &[0x0A]),
    run(0x37, &[0x40]),
    run(0x23, &[0x00]),
    run(0x34, &[0xA0]),
    run(0x06, &[0x02, 0x88]),
    run(0x07, &[0xC0]),
    run(0x0D, &[0xB7]),
    run(0x0E, &[0x01]),
    run(0x4C, &[0x00]),
    run(0x4A, &[0x81]),
    run(0x21, &[0x99]),
    // AEW, AEB, VV: brightness between which exposure rests, and where it hurries.
    run(0x24, &[0x40]),
    run(0x25, &[0x38]),
    run(0x26, &[0x82]),
    run(0x5C, &[0x00]),
    run(0x63, &[0x00]),
    // FLL: frame length. COM3: banding by what is seen.
    run(0x46, &[0x22]),
    run(0x0C, &[0x3A]),
    // Weights of the 16 zones that exposure looks at, two bits each: the middle counts more.
    run(0x5D, &[0x55]),
    run(0x5E, &[0x7D]),
    run(0x5F, &[0x7D]),
    run(0x60, &[0x55]),
    // Levels of the histogram.
    run(0x61, &[0x70]),
    run(0x62, &[0x80]),
    run(0x7C, &[0x05]),
    run(0x20, &[0x80]),
    run(0x28, &[0x30]),
    run(0x6C, &[0x00]),
    run(0x6D, &[0x80]),
    run(0x6E, &[0x00]),
    run(0x70, &[0x02]),
    run(0x71, &[0x94]),
    run(0x73, &[0xC1]),
    run(0x3D, &[0x34]),
    // Steps of exposure under lamps of 50 and 60 Hz.
    run(0x5A, &[0x57]),
    run(0x4F, &[0xBB]),
    run(0x50, &[0x9C]),
    run(BANK, &[BANK_DSP]),
    run(0xE5, &[0x7F]),
    // The sensor's microcontroller is held in reset.
    run(0xF9, &[0xC0]),
    run(0x41, &[0x24]),
    // RESET: JPEG and output port, while they are set.
    run(0xE0, &[0x14]),
    run(0x76, &[0xFF]),
    run(0x33, &[0xA0]),
    run(0x42, &[0x20]),
    run(0x43, &[0x18]),
    run(0x4C, &[0x00]),
    // CTRL3: black and white pixels are corrected.
    run(0x87, &[0xD0]),
    run(0x88, &[0x3F]),
    run(0xD7, &[0x03]),
    run(0xD9, &[0x10]),
    run(0xC8, &[0x08]),
    run(0xC9, &[0x80]),
    // Special effects, by address and data: none.
    run(0x7C, &[0x00]),
    run(0x7D, &[0x00]),
    run(0x7C, &[0x03]),
    run(0x7D, &[0x48, 0x48]),
    run(0x7C, &[0x08]),
    run(0x7D, &[0x20, 0x10, 0x0E]),
    // Gamma: address, then the curve.
    run(0x90, &[0x00]),
    run(
        0x91,
        &[
            0x0E, 0x1A, 0x31, 0x5A, 0x69, 0x75, 0x7E, 0x88, 0x8F, 0x96, 0xA3, 0xAF, 0xC4, 0xD7,
            0xE8, 0x20,
        ],
    ),
    // Sharpness and noise.
    run(0x92, &[0x00]),
    run(
        0x93,
        &[0x06, 0xE3, 0x03, 0x03, 0x00, 0x02, 0, 0, 0, 0, 0, 0, 0],
    ),
    // Colour matrix.
    run(0x96, &[0x00]),
    run(
        0x97,
        &[
            0x08, 0x19, 0x02, 0x0C, 0x24, 0x30, 0x28, 0x26, 0x02, 0x98, 0x80, 0x00, 0x00,
        ],
    ),
    // CTRL1: everything on, lens correction and digital gain too, as it is after a reset: ArduCAM's tables
    // for RGB565 leave it so, and only those for JPEG switch the two off.
    run(0xC3, &[0xFF]),
    run(0xA4, &[0x00]),
    run(0xA8, &[0x00]),
    // White balance.
    run(0xC5, &[0x11]),
    run(0xC6, &[0x51]),
    run(0xBF, &[0x80]),
    run(0xC7, &[0x10]),
    run(0xB6, &[0x66]),
    run(0xB8, &[0xA5]),
    run(0xB7, &[0x64]),
    run(0xB9, &[0x7C]),
    run(0xB3, &[0xAF]),
    run(0xB4, &[0x97]),
    run(0xB5, &[0xFF]),
    run(0xB0, &[0xC5]),
    run(0xB1, &[0x94]),
    run(0xB2, &[0x0F]),
    run(0xC4, &[0x5C]),
    // Lens correction: address, then red, green and blue.
    run(0xA6, &[0x00]),
    run(
        0xA7,
        &[
            0x20, 0xD8, 0x1B, 0x31, 0x00, 0x18, 0x20, 0xD8, 0x19, 0x31, 0x00, 0x18, 0x20, 0xD8,
            0x19, 0x31, 0x00, 0x18,
        ],
    ),
    run(0x7F, &[0x00]),
    run(0xE5, &[0x1F]),
    run(0xE1, &[0x77]),
    run(0xDD, &[0x7F]),
    // CTRL0: the processor makes YUV and from it RGB.
    run(0xC2, &[0x0E]),
];

/// Signal processor's bank: the registers of [`for_mode`] that say how large the output is, and that read
/// back as they were written.
pub(super) const SIZES: [u8; 4] = [0x51, 0x52, 0x5A, 0x5B];

/// [`COM7`] for pictures, or for the test picture.
pub(super) const fn com7(colour_bars: bool) -> u8 {
    COM7_UXGA_ZOOM | if colour_bars { COM7_COLOUR_BARS } else { 0 }
}

/// Extent of the array that is scanned, in pixels.
const ARRAY: (u16, u16) = (1600, 1200);

/// Settings of a mode after [`SETUP`]: pairs of register and value, in order.
pub const fn for_mode(mode: Mode) -> [(u8, u8); 22] {
    let format = mode.format();
    // CTRLI halves both extents this many times; what is left is 5/4 of the output each way.
    let halvings = match mode.resolution {
        Resolution::Qvga => 2,
        Resolution::Qqvga => 3,
    };
    let (columns, rows) = (ARRAY.0 / 4, ARRAY.1 / 4);
    [
        (BANK, BANK_SENSOR),
        (COM7, com7(mode.colour_bars)),
        (BANK, BANK_DSP),
        // RESET: the output port, while sizes change.
        (0xE0, 0x04),
        // HSIZE8, VSIZE8: extent of the array, in eights.
        (0xC0, (ARRAY.0 / 8) as u8),
        (0xC1, (ARRAY.1 / 8) as u8),
        // CTRL2: scaling, effects, colour averaging and matrix on.
        (0x86, 0x3D),
        // HSIZE, VSIZE, XOFFL, YOFFL: the window, in fours; VHYX and TEST have their high bits.
        (0x51, columns as u8),
        (0x52, rows as u8),
        (0x53, 0),
        (0x54, 0),
        (0x55, ((rows >> 8) << 7 | (columns >> 8) << 3) as u8),
        (0x57, 0),
        // CTRLI: low-power drop of pixels, down and across.
        (0x50, 0x80 | halvings << 3 | halvings),
        // ZMOW, ZMOH, ZMHH: the output, in fours.
        (0x5A, (format.width / 4) as u8),
        (0x5B, (format.height / 4) as u8),
        (0x5C, 0),
        // R_DVP_SP: pixel clock, 48 MHz / 4, as ArduCAM runs its frame buffer.
        (0xD3, 0x04),
        (IMAGE_MODE, IMAGE_MODE_RGB565),
        // R_BYPASS: through the signal processor.
        (0x05, 0x00),
        (0xD7, 0x03),
        (0xE0, 0x00),
    ]
}

/// The frames after `SMALL`.
pub const SMALL_SIZE: (u16, u16) = (160, 120);

/// Extent of what is left of the array where the sensor itself leaves out pixels (CIF), and its frames come 60
/// times a second.
const CIF: (u16, u16) = (400, 296);

/// Settings for small frames after [`SETUP`] and [`for_mode`]: the sensor's for CIF, as Espressif's driver
/// (`esp32-camera`) sends them, with the clock undivided; then the signal processor's, which halves once and zooms.
pub(super) const SMALL: [(u8, u8); 33] = [
    (BANK, BANK_SENSOR),
    // COM7: CIF. COM1, REG32, HREFST, HREFEND, VSTRT, VEND: its window.
    (COM7, 0x20),
    (0x03, 0x0A),
    (0x32, 0x89),
    (0x17, 0x11),
    (0x18, 0x43),
    (0x19, 0x00),
    (0x1A, 0x25),
    // Steps of exposure under lamps of 50 and 60 Hz.
    (0x4F, 0xCA),
    (0x50, 0xA8),
    (0x5A, 0x23),
    // Reserved: the analogue part for a part of the array.
    (0x6D, 0x00),
    (0x3D, 0x38),
    (0x39, 0x92),
    (0x35, 0xDA),
    (0x22, 0x1A),
    (0x37, 0xC3),
    (0x34, 0xC0),
    (0x06, 0x88),
    (0x0D, 0x87),
    (0x0E, 0x41),
    (BANK, BANK_DSP),
    (0xE0, 0x04),
    // HSIZE8, VSIZE8, HSIZE, VSIZE, VHYX.
    (0xC0, (CIF.0 / 8) as u8),
    (0xC1, (CIF.1 / 8) as u8),
    (0x51, (CIF.0 / 4) as u8),
    (0x52, (CIF.1 / 4) as u8),
    (0x55, 0x00),
    // CTRLI: one halving each way. ZMOW, ZMOH.
    (0x50, 0x89),
    (0x5A, (SMALL_SIZE.0 / 4) as u8),
    (0x5B, (SMALL_SIZE.1 / 4) as u8),
    (0x05, 0x00),
    (0xE0, 0x00),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_arducams_example() {
        let value = |resolution, register| {
            let pairs = for_mode(Mode::picture(resolution));
            let found = pairs.iter().rfind(|pair| pair.0 == register);
            found.unwrap().1
        };
        // RGB565 at QVGA as ArduCAM's `RPI-Pico-Cam` sets it.
        let qvga = [
            (0xC0, 0xC8),
            (0xC1, 0x96),
            (0x50, 0x92),
            (0x51, 0x90),
            (0x52, 0x2C),
            (0x55, 0x88),
            (0x5A, 0x50),
            (0x5B, 0x3C),
            (0x5C, 0x00),
            (0xDA, 0x08),
        ];
        for (register, expected) in qvga {
            assert_eq!(
                value(Resolution::Qvga, register),
                expected,
                "{register:02x}"
            );
        }
        assert_eq!(value(Resolution::Qqvga, 0x5A) as u16 * 4, 160);
        assert_eq!(value(Resolution::Qqvga, 0x5B) as u16 * 4, 120);
        // The zoom can only scale down.
        for resolution in [Resolution::Qvga, Resolution::Qqvga] {
            let halvings = value(resolution, 0x50) & 7;
            let format = Mode::picture(resolution).format();
            assert!(ARRAY.0 >> halvings >= format.width);
            assert!(ARRAY.1 >> halvings >= format.height);
        }
    }

    #[test]
    fn only_the_revisions_of_an_ov2640_are_one() {
        for low in 0..=u8::MAX {
            assert_eq!(is_ov2640([0x26, low]), (0x40..=0x42).contains(&low));
            assert!(!is_ov2640([0x56, low]));
        }
    }

    #[test]
    fn no_register_is_written_without_its_bank() {
        assert_eq!(SETUP[0].register, BANK);
        assert_eq!(for_mode(Mode::picture(Resolution::Qvga))[0].0, BANK);
        assert!(SETUP.iter().all(|run| !run.values.is_empty()));
    }
}
