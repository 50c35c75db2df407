//! The link's frames: whatever is written comes back, whatever is damaged is noticed, text goes
//! through between.

use posy_shared::image::PixelFormat;
use posy_shared::link::{
    Ask, Body, CHUNK, FRAME_LEN, Frame, Message, Received, Receiver, Refusal, Reply, Request,
    Times, View, send,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Serialize;

use crate::networks::Seeded;

type Line = Receiver<FRAME_LEN>;

fn framed<T: Serialize>(message: &T) -> Vec<u8> {
    let mut line = Vec::new();
    assert!(send(message, &mut |bytes| {
        line.extend_from_slice(bytes);
        true
    }));
    line
}

/// Line as a receiver hears it: text, damaged frames, and messages as they debug.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    text: Vec<u8>,
    damaged: usize,
    messages: Vec<String>,
}

fn hear(line: &[u8], debug: fn(&Line) -> Option<String>) -> Heard {
    let mut receiver = Line::new();
    let mut heard = Heard::default();
    for &byte in line {
        match receiver.push(byte) {
            Received::Nothing => {}
            Received::Text(byte) => heard.text.push(byte),
            Received::Damaged => heard.damaged += 1,
            Received::Frame => match debug(&receiver) {
                Some(message) => heard.messages.push(message),
                None => heard.damaged += 1,
            },
        }
    }
    heard
}

fn requests(receiver: &Line) -> Option<String> {
    receiver
        .message::<Request<'_>>()
        .map(|it| format!("{it:?}"))
}

fn messages(receiver: &Line) -> Option<String> {
    receiver
        .message::<Message<'_>>()
        .map(|it| format!("{it:?}"))
}

/// A request of every kind, with bytes of every kind.
fn request(number: u16, bytes: &[u8]) -> Request<'_> {
    let [width, height] = [number, !number];
    let offset = u32::from(number) << 8;
    let asks = [
        Ask::Hello { version: number },
        Ask::Identify,
        Ask::Preview {
            view: Some(View::Input),
        },
        Ask::Begin {
            width,
            height,
            pixels: PixelFormat::Yuyv,
        },
        Ask::Row {
            index: number,
            bytes,
        },
        Ask::Write { offset, bytes },
        Ask::Commit {
            at: offset,
            prelude: &bytes[..bytes.len().min(32)],
        },
    ];
    Request {
        epoch: 0x1_0000 * u32::from(!number),
        number,
        ask: asks[usize::from(number) % asks.len()],
    }
}

/// A message of a board of every kind.
fn message(number: u16, bytes: &[u8]) -> Message<'_> {
    let bodies = [
        Body::Row {
            frame: number,
            index: 7,
            bytes,
        },
        Body::Frame(Frame {
            frame: number,
            view: View::Camera,
            width: 320,
            height: 240,
            pixels: PixelFormat::Rgb565Be,
        }),
        Body::Answer {
            frame: number,
            times: Times::default(),
            logits: bytes,
        },
        Body::Reply {
            number,
            reply: Reply::Done,
        },
        Body::Reply {
            number,
            reply: Reply::Refused {
                refusal: Refusal::InUse,
                reason: "it runs",
            },
        },
    ];
    Message {
        epoch: 1 << (number % 32),
        body: bodies[usize::from(number) % bodies.len()],
    }
}

/// Bytes that COBS has to do something about: runs of any length with zeros between.
fn bytes(seeded: &mut Seeded) -> Vec<u8> {
    let len = seeded.below(CHUNK as u32 + 1);
    let zeros = 1 + seeded.below(300);
    (0..len)
        .map(|_| match seeded.below(zeros) {
            0 => 0,
            _ => seeded.number() as u8,
        })
        .collect()
}

#[test]
fn a_frame_is_cobs_between_delimiters() {
    let mut seeded = Seeded(5);
    for number in 0..if cfg!(miri) { 4 } else { 400 } {
        let bytes = bytes(&mut seeded);
        let message = message(number, &bytes);
        let line = framed(&message);
        assert!(line.starts_with(&[0, 0xFF]) && line.ends_with(&[0]));
        // Decoded by another implementation, checked by another definition of the checksum.
        let inside = &line[2..line.len() - 1];
        let mut decoded = vec![0; inside.len()];
        let len = cobs::decode(inside, &mut decoded).unwrap();
        decoded.truncate(len);
        let mut expected = postcard::to_allocvec(&message).unwrap();
        let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&expected);
        expected.extend(crc.to_le_bytes());
        assert_eq!(decoded, expected);
        // And encoded by it, whose blocks may be cut otherwise.
        let mut other = vec![0, 0xFF];
        let mut encoded = vec![0; cobs::max_encoding_length(expected.len())];
        let len = cobs::encode(&expected, &mut encoded);
        other.extend(&encoded[..len]);
        other.push(0);
        assert_eq!(hear(&other, messages).messages, [format!("{message:?}")]);
    }
}

#[test]
fn messages_come_back_and_text_goes_through_between() {
    let mut seeded = Seeded(9);
    let (mut line, mut expected) = (Vec::new(), Heard::default());
    for number in 0..if cfg!(miri) { 2 } else { 300 } {
        let bytes = bytes(&mut seeded);
        let request = request(number, &bytes);
        let text = format!("daisy 97.2%  r\u{f6}se 1.9%  {number} ms\r\n");
        line.extend(framed(&request));
        line.extend(text.as_bytes());
        expected.messages.push(format!("{request:?}"));
        expected.text.extend(text.as_bytes());
    }
    assert_eq!(hear(&line, requests), expected);
}

#[test]
fn the_longest_messages_fit_and_longer_ones_are_damage() {
    let bytes = [0xA5; CHUNK];
    for bytes in [&bytes[..], &[0; CHUNK]] {
        let row = Request {
            epoch: u32::MAX,
            number: u16::MAX,
            ask: Ask::Write {
                offset: u32::MAX,
                bytes,
            },
        };
        assert_eq!(hear(&framed(&row), requests).messages.len(), 1);
        let row = Message {
            epoch: u32::MAX,
            body: Body::Row {
                frame: u16::MAX,
                index: u16::MAX,
                bytes,
            },
        };
        assert_eq!(hear(&framed(&row), messages).messages.len(), 1);
    }
    let long = vec![3; FRAME_LEN];
    let line = [framed(&long), framed(&request(1, &[]))].concat();
    let heard = hear(&line, requests);
    assert_eq!((heard.damaged, heard.messages.len()), (1, 1));
}

#[test]
fn a_sink_that_gives_up_ends_the_sending() {
    let message = message(0, &[0; 900]);
    for after in 0..20 {
        let mut pieces = 0;
        let sent = send(&message, &mut |_| {
            pieces += 1;
            pieces <= after
        });
        assert!(!sent);
        assert_eq!(pieces, after + 1);
    }
}

/// Damages `line[start..end]` in one of the ways in which a line is damaged.
fn damage(line: &mut Vec<u8>, start: usize, end: usize, seeded: &mut Seeded) {
    let mut number = || seeded.below(1 << 16) as usize;
    let at = start + number() % (end - start);
    match number() % 6 {
        // A bit, several bytes, one lost, one twice, one more, a piece lost.
        0 => line[at] ^= 1 << (number() % 8),
        1 => {
            let len = 1 + number() % 8;
            for byte in &mut line[at..end.min(at + len)] {
                *byte ^= 1 + (number() % 255) as u8;
            }
        }
        2 => {
            line.remove(at);
        }
        3 => line.insert(at, line[at]),
        4 => line.insert(at, number() as u8),
        _ => {
            let len = 1 + number() % 80;
            line.drain(at..end.min(at + len));
        }
    }
}

/// Each damaged frame lies between two that are sound.
fn no_damage_passes(make: fn(u16, &[u8]) -> Vec<u8>, debug: fn(&Line) -> Option<String>) {
    let mut seeded = Seeded(77);
    let (mut silent, mut same) = (0, 0);
    for round in 0..if cfg!(miri) { 4 } else { 10_000_u16 } {
        let bytes = bytes(&mut seeded);
        let (before, after) = (make(1, b"before"), make(3, b"after"));
        let sound = make(round, &bytes);
        let mut line = [&before[..], &sound, &after].concat();
        let end = before.len() + sound.len();
        damage(&mut line, before.len(), end, &mut seeded);
        let heard = hear(&line, debug);
        let expected = |frame| hear(frame, debug).messages.remove(0);
        let mut messages = heard.messages;
        assert_eq!(messages.remove(0), expected(&before), "round {round}");
        assert_eq!(messages.pop().unwrap(), expected(&after), "round {round}");
        // What a delimiter more or less leaves whole is the message that was sent.
        match messages.len() {
            0 => silent += usize::from(heard.damaged == 0),
            _ => {
                assert_eq!(messages, [expected(&sound)], "round {round}");
                same += 1;
            }
        }
    }
    // A frame whose first delimiter or mark is gone is text, and no request.
    assert!(silent < 500 && same < 500, "{silent} silent, {same} whole");
}

#[test]
fn of_10_000_damaged_requests_none_is_taken_for_another() {
    no_damage_passes(|number, bytes| framed(&request(number, bytes)), requests);
}

#[test]
fn of_10_000_damaged_messages_none_is_taken_for_another() {
    no_damage_passes(|number, bytes| framed(&message(number, bytes)), messages);
}

/// Any bytes at all: nothing panics, and a sound frame behind them is heard.
#[test]
fn after_any_bytes_a_sound_frame_is_heard() {
    let config = Config {
        cases: if cfg!(miri) { 4 } else { 2_000 },
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]);
    let byte = prop_oneof![Just(0_u8), Just(0xFF), Just(1), any::<u8>()];
    let longest = if cfg!(miri) { 60 } else { 3 * FRAME_LEN };
    TestRunner::new_with_rng(config, rng)
        .run(&prop::collection::vec(byte, 0..longest), |noise| {
            let sound = request(5, b"sound");
            let heard = hear(&[noise, framed(&sound)].concat(), requests);
            prop_assert_eq!(heard.messages.last(), Some(&format!("{sound:?}")));
            Ok(())
        })
        .unwrap();
}

/// Any message, with a checksum that is right: it reads, or it does not, and nothing panics.
#[test]
fn any_message_under_a_right_checksum_reads_or_does_not() {
    let config = Config {
        cases: if cfg!(miri) { 4 } else { 20_000 },
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[43; 32]);
    let byte = prop_oneof![3 => 0_u8..20, 1 => any::<u8>()];
    let (mut read, mut not) = (0, 0);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let strategy = prop::collection::vec(byte, 0..60);
    for _ in 0..runner.config().cases {
        let bytes = strategy.new_tree(&mut runner).unwrap().current();
        // As it is: without a length before it.
        let line = framed(&Bare(&bytes));
        for debug in [requests as fn(&Line) -> Option<String>, messages] {
            let heard = hear(&line, debug);
            assert_eq!(heard.messages.len() + heard.damaged, 1);
            read += heard.messages.len();
            not += heard.damaged;
        }
    }
    assert!(
        cfg!(miri) || (read > 100 && not > 100),
        "{read} read, {not} not"
    );
}

/// Bytes that are a message as they are.
struct Bare<'a>(&'a [u8]);

impl Serialize for Bare<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple;
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0
            .iter()
            .try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}
