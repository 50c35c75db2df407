//! Emulated boards on a serial line: a model is pushed to each, and pictures of the laptop get the
//! laptop's logits there.

#[path = "../../firmware/tests/common/laptop.rs"]
#[allow(dead_code)]
mod laptop;

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use laptop::{Gone, Laptop, Line, Replied, frame};
use posy_shared::engine::{Engine, arena_len};
use posy_shared::image::{PixelFormat, unpack_row};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::link::{Ask, DELIMITER, View};
use posy_shared::model::Model;
use posy_shared::picture::Picture;
use posy_shared::preprocess::{Size, scratch_len};
use posy_tests::draw::draw;
use posy_tests::emulator::{ARMV6M, MACHINES, Machine, Tools};
use posy_tests::scratch::Scratch;
use posy_tests::{classifier, small_classifier};

const WIDTH: u16 = 320;
const HEIGHT: u16 = 240;

/// Duration of a turn without a frame, at most.
const TURN: Duration = Duration::from_millis(20);

/// A machine in the emulator, and its UART.
struct Emulated {
    process: Child,
    uart: UnixStream,
}

impl Emulated {
    /// Starts `program` on `machine` in the folder of `scratch`, where its files lie.
    fn start(machine: Machine, program: &std::path::Path, scratch: &Scratch) -> Self {
        let socket = scratch.join("uart");
        let _ = std::fs::remove_file(&socket);
        let mut process = Command::new("qemu-system-arm")
            .arg("-machine")
            .arg(format!("mps2-{}", machine.name))
            .args(["-nographic", "-monitor", "none", "-serial"])
            .arg(format!("unix:{},server=on,wait=on", socket.display()))
            .arg("-semihosting-config")
            .arg("enable=on,target=native,arg=posy,arg=model.posy,arg=frames.rgb565,arg=--serial")
            .arg("-kernel")
            .arg(program)
            .current_dir(scratch.join("."))
            .stdin(Stdio::null())
            .spawn()
            .expect("QEMU, which was found");
        let since = Instant::now();
        let uart = loop {
            match UnixStream::connect(&socket) {
                Ok(uart) => break uart,
                Err(error) if since.elapsed().as_secs() >= 60 => {
                    let _ = process.kill();
                    panic!("{error}");
                }
                Err(_) => {}
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        uart.set_read_timeout(Some(TURN)).unwrap();
        Emulated { process, uart }
    }
}

/// A test that fails leaves no emulator running.
impl Drop for Emulated {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Line for Emulated {
    /// Ends with a frame, or after [`TURN`]: the UART hands bytes over one by one, and a picture has
    /// 150,000 of them.
    fn turn(&mut self, sent: Vec<u8>) -> Result<Vec<u8>, Gone> {
        self.uart.write_all(&sent).map_err(|_| Gone)?;
        let (end, mut said) = (Instant::now() + TURN, Vec::new());
        let mut bytes = [0; 4096];
        while said.last() != Some(&DELIMITER) && Instant::now() < end {
            match self.uart.read(&mut bytes) {
                Ok(0) => return Err(Gone),
                Ok(len) => said.extend_from_slice(&bytes[..len]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(said)
    }

    fn unplug(self: Box<Self>) -> Option<usize> {
        None
    }

    /// A busy laptop takes long to emulate a golden check.
    fn patience(&self) -> usize {
        3000
    }
}

/// A frame with structure.
fn scene(seed: usize) -> Vec<u8> {
    (0..2 * usize::from(WIDTH) * usize::from(HEIGHT))
        .map(|index| (index * 37 + index / 11 * (seed + 5) + seed * 13) as u8)
        .collect()
}

/// The laptop's logits of a frame.
fn expected(file: &[u8], bytes: &[u8]) -> Vec<i8> {
    let model = Model::read(file).unwrap();
    let mut arena = vec![0; arena_len(&model, &Scalar)];
    let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
    let mut scratch = vec![0; scratch_len(model.input_shape().width)];
    let size = Size {
        width: WIDTH,
        height: HEIGHT,
    };
    let mut picture = Picture::begin(&mut engine, size, &mut scratch).unwrap();
    let mut rgb = vec![0; 3 * usize::from(WIDTH)];
    for row in bytes.chunks(2 * usize::from(WIDTH)) {
        unpack_row(PixelFormat::Rgb565Be, row, &mut rgb).unwrap();
        picture.push_rgb(&rgb).unwrap();
    }
    picture.finish().unwrap().to_vec()
}

#[test]
fn emulated_boards_take_models_over_their_serial_ports_and_give_the_laptops_logits() {
    let test = "emulated_boards_take_models_over_their_serial_ports_and_give_the_laptops_logits";
    let Some(tools) = Tools::find(test) else {
        return;
    };
    let machines = MACHINES.into_iter().chain([ARMV6M]);
    for machine in draw(test, machines, 1) {
        let scratch = Scratch::new();
        scratch.write("model.posy", small_classifier(3));
        let (seen, sent) = (scene(1), scene(2));
        scratch.write("frames.rgb565", &seen);
        let program = tools.build(machine, &scratch.join("."));
        let mut laptop = Laptop::new(Emulated::start(machine, &program, &scratch));
        laptop.hello(0xC0FFEE).unwrap();
        laptop.done(Ask::Pause).unwrap();
        let view = View::Camera;
        laptop.done(Ask::Capture { view }).unwrap();
        assert_eq!(laptop.pictures[0].rows.concat(), seen, "{}", machine.core);
        for file in [small_classifier(5), classifier(9, 4)] {
            laptop.push(&file).unwrap();
            let reply = laptop.classify(&frame(WIDTH, HEIGHT), &sent).unwrap();
            let logits = expected(&file, &sent);
            assert_eq!(reply, Replied::Logits(logits), "{}", machine.core);
            laptop.done(Ask::Resume).unwrap();
            laptop.answers.clear();
            while laptop.answers.is_empty() {
                laptop.turn().unwrap();
            }
            let answer = &laptop.answers[0].logits;
            assert_eq!(*answer, expected(&file, &seen), "{}", machine.core);
            laptop.done(Ask::Pause).unwrap();
        }
        laptop.unplug();
    }
}
