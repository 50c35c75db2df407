//! Malformed files that no writer of ours made: each is refused, or it runs.

use crate::networks::{random_network, spec};
use posy_shared::engine::Engine;
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::{Model, ReadError, write};

/// Distance between damaged positions; Miri is about a thousand times slower.
const STEP: usize = if cfg!(miri) { 1_009 } else { 1 };

#[test]
fn no_damaged_file_is_read_and_none_panics() {
    let file = write(&spec(random_network(1_234))).unwrap();
    assert!(Model::read(&file).is_ok());
    for length in (0..file.len()).step_by(STEP) {
        let error = Model::read(&file[..length]).expect_err("a truncated file was read");
        match length {
            0 => assert_eq!(error, ReadError::Empty),
            _ => assert_ne!(error, ReadError::Empty),
        }
    }
    for bit in (0..file.len() * 8).step_by(STEP) {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Model::read(&damaged).is_err(), "bit {bit}");
    }
    let mut longer = file.clone();
    longer.push(0xFF);
    assert!(matches!(
        Model::read(&longer),
        Err(ReadError::Length { .. })
    ));
    assert!(Model::read_slot(&longer).is_ok());
    longer.resize(file.len() + 8192, 0xFF);
    longer[..4096].fill(0xFF);
    assert_eq!(Model::read_slot(&longer).unwrap_err(), ReadError::Torn);
    assert_eq!(Model::read_slot(&[0xFF; 64]).unwrap_err(), ReadError::Empty);
    let mut newer = file.clone();
    newer[4] = 9;
    assert_eq!(
        Model::read(&newer).unwrap_err(),
        ReadError::Version { found: 9 }
    );
}

/// Damage with a valid checksum, as a broken or hostile writer makes it. A file that is still accepted
/// must also run.
#[test]
fn a_file_that_reads_also_runs() {
    let file = write(&spec(random_network(99))).unwrap();
    let header = 48 + u32::from_le_bytes(file[32..36].try_into().unwrap()) as usize;
    let head = u32::from_le_bytes(file[16..20].try_into().unwrap()) as usize;
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let (mut read, mut refused) = (0, 0);
    // The header, the head's block, the start of the backbone's.
    let backbone = head..file.len().min(head + 400);
    for at in (48..header + 400).chain(backbone).step_by(STEP) {
        for value in [0, 1, 2, 0x7F, 0x80, 0xFF, file[at] ^ 1, file[at] ^ 0x40] {
            let mut damaged = file.clone();
            damaged[at] = value;
            let sum = crc.checksum(&damaged[head..]);
            damaged[36..40].copy_from_slice(&sum.to_le_bytes());
            let sum = crc.checksum(&[&damaged[..28], &damaged[32..head]].concat());
            damaged[28..32].copy_from_slice(&sum.to_le_bytes());
            let Ok(model) = Model::read(&damaged) else {
                refused += 1;
                continue;
            };
            read += 1;
            let shape = model.input_shape();
            let mut arena = vec![0; model.plan().arena_len];
            let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
            for y in 0..shape.height {
                engine.push_row(&vec![y as i8; shape.row_len()]).unwrap();
            }
            assert_eq!(engine.finish().unwrap().len(), model.output_len());
        }
    }
    assert!(
        read > 100 / STEP && refused > 100 / STEP,
        "{read} read, {refused} refused"
    );
}
