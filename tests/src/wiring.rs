//! The wiring pictures of the boards' READMEs, drawn from the table of pins that each board's program is
//! compiled from.

use std::path::PathBuf;

use crate::boards::folder;

/// A pin of a table in `pins.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The chip's name for it, as the hardware crate has it.
    pub name: String,
    /// Its other end: `camera SDA`, `button`, ...
    pub to: String,
}

/// A board with a picture.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// Name of its folder.
    pub board: &'static str,
    /// Name of the picture there.
    pub file: &'static str,
    /// Title of the picture.
    pub title: &'static str,
    /// Path of its table of pins, from the folder of boards.
    pub pins: &'static str,
    /// Place of each pin on the board: the chip's name, the board's.
    pub places: &'static [(&'static str, &'static str)],
    /// Wires that the program knows nothing of: place, what they go to.
    pub supply: &'static [(&'static str, &'static str)],
    /// The camera's name, and its pins in the order in which they stand on it.
    pub camera: (&'static str, &'static [&'static str]),
}

/// Pins of the ArduCAM Mini, as printed beside them.
const ARDUCAM: (&str, &[&str]) = (
    "ArduCAM Mini 2MP, or Arducam Mega",
    &["CS", "MOSI", "MISO", "SCK", "GND", "VCC", "SDA", "SCL"],
);

/// Pins of a Mini that a Mega has not.
const MINI_ALONE: [&str; 2] = ["SDA", "SCL"];

/// Pins of the usual modules with a parallel port, in their order.
const PARALLEL: (&str, &[&str]) = (
    "OV2640 module, parallel",
    &[
        "3.3V", "GND", "SIOC", "SIOD", "VSYNC", "HREF", "PCLK", "XCLK", "D7", "D6", "D5", "D4",
        "D3", "D2", "D1", "D0", "RESET", "PWDN",
    ],
);

/// The same beside the supply and the pins that a Pico has for them.
const BARE: (&str, &[&str]) = ("OV2640 module without a buffer", PARALLEL.1);

/// Places of a Pico's and a Pico 2's pins (data sheets, "Pico pinout").
const PICO: &[(&str, &str)] = &[
    ("PIN_0", "pin 1, GP0"),
    ("PIN_1", "pin 2, GP1"),
    ("PIN_2", "pin 4, GP2"),
    ("PIN_3", "pin 5, GP3"),
    ("PIN_4", "pin 6, GP4"),
    ("PIN_5", "pin 7, GP5"),
    ("PIN_6", "pin 9, GP6"),
    ("PIN_7", "pin 10, GP7"),
    ("PIN_8", "pin 11, GP8"),
    ("PIN_9", "pin 12, GP9"),
    ("PIN_10", "pin 14, GP10"),
    ("PIN_11", "pin 15, GP11"),
    ("PIN_12", "pin 16, GP12"),
    ("PIN_13", "pin 17, GP13"),
    ("PIN_14", "pin 19, GP14"),
    ("PIN_15", "pin 20, GP15"),
    ("PIN_16", "pin 21, GP16"),
    ("PIN_17", "pin 22, GP17"),
    ("PIN_18", "pin 24, GP18"),
    ("PIN_19", "pin 25, GP19"),
    ("PIN_20", "pin 26, GP20"),
    ("PIN_21", "pin 27, GP21"),
    ("PIN_22", "pin 29, GP22"),
    ("PIN_26", "pin 31, GP26"),
    ("PIN_27", "pin 32, GP27"),
    ("PIN_28", "pin 34, GP28"),
];
const PICO_SUPPLY: &[(&str, &str)] = &[
    ("pin 36, 3V3", "camera VCC"),
    ("pin 23, GND", "camera GND"),
    ("pin 18, GND", "button"),
    ("pin 3, GND", "serial GND"),
];

/// Supply of a module with a parallel port.
const PICO_BARE_SUPPLY: &[(&str, &str)] = &[
    ("pin 36, 3V3", "camera 3.3V"),
    ("pin 23, GND", "camera GND"),
    ("pin 36, 3V3", "camera RESET"),
    ("pin 28, GND", "camera PWDN"),
    ("pin 18, GND", "button"),
    ("pin 3, GND", "serial GND"),
];

/// The pictures there are.
pub const DRAWN: [Drawn; 10] = [
    Drawn {
        board: "rp-pico",
        file: "wiring.svg",
        title: "Raspberry Pi Pico",
        pins: "rp/src/pins.rs",
        places: PICO,
        supply: PICO_SUPPLY,
        camera: ARDUCAM,
    },
    Drawn {
        board: "rp-pico",
        file: "wiring-bare.svg",
        title: "Raspberry Pi Pico",
        pins: "rp/src/bare_pins.rs",
        places: PICO,
        supply: PICO_BARE_SUPPLY,
        camera: BARE,
    },
    Drawn {
        board: "rp-pico2",
        file: "wiring.svg",
        title: "Raspberry Pi Pico 2",
        pins: "rp/src/pins.rs",
        places: PICO,
        supply: PICO_SUPPLY,
        camera: ARDUCAM,
    },
    Drawn {
        board: "rp-pico2",
        file: "wiring-bare.svg",
        title: "Raspberry Pi Pico 2",
        pins: "rp/src/bare_pins.rs",
        places: PICO,
        supply: PICO_BARE_SUPPLY,
        camera: BARE,
    },
    Drawn {
        board: "nrf52840-dk",
        file: "wiring.svg",
        title: "Nordic nRF52840-DK",
        pins: "nrf52840-dk/src/pins.rs",
        places: &[
            ("P1_10", "D8: P4"),
            ("P1_11", "D9: P4"),
            ("P1_12", "D10: P4"),
            ("P1_13", "D11: P4"),
            ("P1_14", "D12: P4"),
            ("P1_15", "D13: P4"),
            ("P0_26", "SDA: P4"),
            ("P0_27", "SCL: P4"),
        ],
        supply: &[("VDD: P1", "camera VCC"), ("GND: P1", "camera GND")],
        camera: ARDUCAM,
    },
    Drawn {
        board: "nucleo-h743zi",
        file: "wiring.svg",
        title: "ST Nucleo-H743ZI",
        pins: "nucleo-h743zi/src/pins.rs",
        // User manuals UM1974 and UM2407.
        places: &[
            ("PB8", "D15: CN7 pin 2"),
            ("PB9", "D14: CN7 pin 4"),
            ("PA8", "CN12 pin 23"),
            ("PA6", "D12: CN7 pin 12"),
            ("PA4", "D24: CN7 pin 17"),
            ("PG9", "D0: CN10-16 (ZI2: CN11-63)"),
            ("PC6", "D16: CN7 pin 1"),
            ("PC7", "D21: CN7 pin 11"),
            ("PC8", "D43: CN8 pin 2"),
            ("PC9", "D44: CN8 pin 4"),
            ("PE4", "D57: CN9 pin 16"),
            ("PD3", "D55: CN9 pin 10"),
            ("PE5", "D58: CN9 pin 18"),
            ("PE6", "D59: CN9 pin 20"),
        ],
        supply: &[
            ("3V3: CN8 pin 7", "camera 3.3V"),
            ("GND: CN8 pin 11", "camera GND"),
            ("3V3", "camera RESET"),
            ("GND", "camera PWDN"),
        ],
        camera: PARALLEL,
    },
    Drawn {
        board: "weact-h743vi",
        file: "wiring.svg",
        title: "WeAct MiniSTM32H743VI",
        pins: "weact-h743vi/src/pins.rs",
        // Contacts of the socket, as in Zephyr's description of the board.
        places: &[
            ("PB9", "contact 3, PB9"),
            ("PB8", "contact 5, PB8"),
            ("PB7", "contact 7, PB7"),
            ("PA7", "contact 8, PA7"),
            ("PA4", "contact 9, PA4"),
            ("PE6", "contact 12, PE6"),
            ("PA8", "contact 13, PA8"),
            ("PE5", "contact 14, PE5"),
            ("PD3", "contact 16, PD3"),
            ("PA6", "contact 17, PA6"),
            ("PE4", "contact 18, PE4"),
            ("PC6", "contact 19, PC6"),
            ("PE1", "contact 20, PE1"),
            ("PC7", "contact 21, PC7"),
            ("PE0", "contact 22, PE0"),
        ],
        supply: &[],
        camera: (
            "OV2640 in the socket",
            &[
                "SIOD", "SIOC", "VSYNC", "PWDN", "HREF", "D7", "XCLK", "D6", "D5", "PCLK", "D4",
                "D0", "D3", "D1", "D2",
            ],
        ),
    },
    Drawn {
        board: "nano-33-ble",
        file: "wiring.svg",
        title: "Arduino Nano 33 BLE",
        pins: "nano-33-ble/src/pins.rs",
        places: &[
            ("P0_31", "A4"),
            ("P0_02", "A5"),
            ("P0_23", "D7"),
            ("P1_01", "D11"),
            ("P1_08", "D12"),
            ("P0_13", "D13"),
            ("P1_11", "D2"),
        ],
        supply: &[
            ("3.3V", "camera VCC"),
            ("GND", "camera GND"),
            ("GND", "button"),
        ],
        camera: ARDUCAM,
    },
    Drawn {
        board: "xiao-nrf52840",
        file: "wiring.svg",
        title: "Seeed XIAO nRF52840",
        pins: "xiao-nrf52840/src/pins.rs",
        places: &[
            ("P0_04", "D4"),
            ("P0_05", "D5"),
            ("P0_29", "D3"),
            ("P1_15", "D10"),
            ("P1_14", "D9"),
            ("P1_13", "D8"),
            ("P0_03", "D1"),
        ],
        supply: &[
            ("3V3", "camera VCC"),
            ("GND", "camera GND"),
            ("GND", "button"),
        ],
        camera: ARDUCAM,
    },
    Drawn {
        board: "feather-nrf52840",
        file: "wiring.svg",
        title: "Adafruit Feather nRF52840",
        pins: "feather-nrf52840/src/pins.rs",
        places: &[
            ("P0_12", "SDA"),
            ("P0_11", "SCL"),
            ("P0_27", "D10"),
            ("P0_13", "MO"),
            ("P0_15", "MI"),
            ("P0_14", "SCK"),
        ],
        supply: &[("3.3V", "camera VCC"), ("GND", "camera GND")],
        camera: ARDUCAM,
    },
];

/// The pins in the text of a `pins.rs`: lines `($chip:ident, ROLE) => { $chip.NAME }; // TO`.
pub fn table(text: &str) -> Vec<Pin> {
    let pin = |line: &str| {
        let (code, to) = line.trim().split_once(" }; // ")?;
        let (_, name) = code.split_once("=> { $chip.")?;
        Some(Pin {
            name: name.into(),
            to: to.into(),
        })
    };
    text.lines().filter_map(pin).collect()
}

/// A wire: its place on the board and what it goes to.
type Wire = (String, String);

/// The wires of a board, those that are to be laid by hand.
fn wires(drawn: &Drawn, pins: &[Pin]) -> Vec<Wire> {
    let by_hand = pins.iter().filter(|pin| !pin.to.ends_with("on board"));
    let placed = by_hand.map(|pin| {
        let place = drawn.places.iter().find(|place| place.0 == pin.name);
        let place = place.unwrap_or_else(|| panic!("{}: where is {}?", drawn.board, pin.name));
        (place.1.to_owned(), pin.to.clone())
    });
    let supply = drawn.supply.iter();
    let supply = supply.map(|(place, to)| ((*place).to_owned(), (*to).to_owned()));
    let mut wires: Vec<Wire> = supply.chain(placed).collect();
    // In the order of what they go to: the camera's pins, then the rest.
    let order = |to: &str| {
        let pins = drawn.camera.1.iter();
        let at = pins
            .enumerate()
            .find(|(_, pin)| to == format!("camera {pin}"));
        at.map_or(usize::MAX, |(at, _)| at)
    };
    wires.sort_by_key(|wire| (order(&wire.1), wire.1.clone()));
    wires
}

/// Colours that differ also in grey, for wires that are neither supply nor ground.
const COLOURS: [&str; 8] = [
    "#1b6ca8", "#e08e0b", "#2e8b57", "#8e44ad", "#b03a2e", "#16a085", "#7f6000", "#5d6d7e",
];

fn colour(place: &str, index: usize) -> &'static str {
    if place.contains("GND") {
        "#222222"
    } else if ["3V3", "3.3V", "VDD"]
        .iter()
        .any(|name| place.contains(name))
    {
        "#d40000"
    } else {
        COLOURS[index % COLOURS.len()]
    }
}

/// Height of a row, and of what is above the first one of a box.
const ROW: usize = 28;
const TOP: usize = 56;

/// A box with its title: left edge, its first row's upper edge, rows.
fn panel(x: usize, y: usize, rows: usize, fill: &str, title: &str) -> String {
    let (middle, above, top, height) = (x + 130, y - 26, y - 14, ROW * rows + 28);
    format!(
        "<text x=\"{middle}\" y=\"{above}\" font-weight=\"bold\" text-anchor=\"middle\">{title}\
         </text>\n<rect x=\"{x}\" y=\"{top}\" width=\"260\" height=\"{height}\" rx=\"8\" \
         fill=\"{fill}\" stroke=\"#444444\"/>\n"
    )
}

/// The picture of a board with this table of pins, as SVG.
pub fn draw(drawn: &Drawn, pins: &[Pin]) -> String {
    let wires = wires(drawn, pins);
    let to_camera = wires.iter().filter(|wire| wire.1.starts_with("camera "));
    let to_camera = to_camera.count();
    let others = wires.len() - to_camera;
    // What does not go to the camera stands below, in a box of its own.
    let gap = if others > 0 { TOP } else { 0 };
    let height = TOP + ROW * wires.len() + gap + 28;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{height}\" \
         viewBox=\"0 0 760 {height}\" font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"760\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let left_rows = wires.len() + gap / ROW;
    svg += &panel(20, TOP, left_rows, "#e6f2ea", drawn.title);
    svg += &panel(480, TOP, to_camera, "#e8eef7", drawn.camera.0);
    if others > 0 {
        let y = TOP + ROW * to_camera + gap;
        svg += &panel(
            480,
            y,
            others,
            "#f5f0e3",
            "if wanted: button, serial adapter (3.3 V)",
        );
    }
    for (index, (place, to)) in wires.iter().enumerate() {
        let below = if index < to_camera { 0 } else { gap };
        let y = TOP + ROW * index + ROW / 2 + below;
        let (text, colour) = (y + 5, colour(place, index));
        let name = to.strip_prefix("camera ").unwrap_or(to);
        let alone = match drawn.camera == ARDUCAM && MINI_ALONE.contains(&name) {
            true => " (Mini alone)",
            false => "",
        };
        svg += &format!(
            "<text x=\"268\" y=\"{text}\" text-anchor=\"end\">{place}</text>\n\
             <path d=\"M280 {y}H480\" stroke=\"{colour}\" stroke-width=\"4\"/>\n\
             <circle cx=\"280\" cy=\"{y}\" r=\"5\" fill=\"{colour}\"/>\n\
             <circle cx=\"480\" cy=\"{y}\" r=\"5\" fill=\"{colour}\"/>\n\
             <text x=\"492\" y=\"{text}\">{name}{alone}</text>\n"
        );
    }
    svg + "</svg>\n"
}

impl Drawn {
    /// The text of the table of pins.
    pub fn pins_text(&self) -> String {
        let path = folder().join(self.pins);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Path of the picture.
    pub fn path(&self) -> PathBuf {
        folder().join(self.board).join(self.file)
    }
}
