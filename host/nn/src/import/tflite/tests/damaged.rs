//! Damaged and hostile files.

use proptest::prelude::*;

use super::super::fixture::{OperatorSpec, convolution, weights};
use super::*;
use crate::testing::mutate;

#[test]
fn a_small_file_cannot_ask_for_many_weights() {
    // A thousand layers that all use the same buffer.
    let mut file = small();
    file.tensors.push(map("map", &[1, 3, 3, 4], 0.02));
    let map = file.tensors.len() as i32 - 1;
    file.tensor("conv_w").data = vec![1; 72];
    file.tensors.push(weights("big_w", &[4, 1, 1, 4], 0));
    file.operators.truncate(1);
    for i in 0..1000 {
        let (from, to) = if i % 2 == 0 { (3, map) } else { (map, 3) };
        file.operators.push(OperatorSpec {
            options: convolution(false, 1, 1),
            ..operator(CONV_2D, &[from, map + 1, -1], to)
        });
    }
    // Sixteen weights a layer are few beside the operator's own bytes, so this is accepted...
    file.outputs = vec![3];
    assert!(read(&file.bytes()).is_ok());
    // ... while a kilobyte a layer is not.
    for tensor in [3, map] {
        file.tensors[tensor as usize].shape = vec![1, 3, 3, 40];
    }
    file.tensors[1] = weights("conv_w", &[40, 3, 3, 2], 0);
    file.tensors[2] = integers("conv_b", &[40], &[0; 40]);
    file.tensors[map as usize + 1] = weights("big_w", &[40, 1, 1, 40], 0);
    assert!(
        message(&file).contains("shared by too many layers"),
        "{}",
        message(&file)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = small().bytes();
        mutate(&mut bytes, &changes, cut);
        // Only panics and endless loops fail here.
        let _ = read(&bytes);
    }

    #[test]
    fn no_random_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 8..400)) {
        bytes[4..8].copy_from_slice(b"TFL3");
        let _ = read(&bytes);
    }
}

/// The tables and numbers of a real file lie together at its end; weights fill the rest. So the
/// changed bytes are taken from the file's last part, and from its beginning.
#[test]
fn no_change_of_a_real_file_panics() {
    let Some(folder) = data("changing a real file", "models") else {
        return;
    };
    let original = fs::read(folder.join("mobilenet_v1_0.25_128_quant.tflite")).unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let changes = prop::collection::vec((any::<u16>(), any::<bool>(), any::<u8>()), 1..6);
    let mut refused = 0;
    let result = runner.run(
        &(
            changes,
            prop::option::weighted(0.2, any::<prop::sample::Index>()),
        ),
        |(changes, cut)| {
            let mut bytes = original.clone();
            for (place, front, value) in changes {
                let place = usize::from(place) % 40_000;
                let place = if front {
                    place
                } else {
                    bytes.len() - 1 - place
                };
                bytes[place] = value;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let _ = read(&bytes);
            Ok(())
        },
    );
    result.unwrap();
    for cut in (0..original.len()).step_by(50_021) {
        refused += usize::from(read(&original[..cut]).is_err());
    }
    assert_eq!(
        refused,
        original.len().div_ceil(50_021),
        "every cut file is refused"
    );
}
