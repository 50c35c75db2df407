//! A stored camera frame through the firmware's loop gives the result of the shared code alone, in
//! every pixel format of the cameras.

use posy_firmware::camera::StoredFrame;
use posy_firmware::classify::{RowBuffers, classify};
use posy_firmware::report;
use posy_shared::engine::Engine;
use posy_shared::image::{ImageView, PixelFormat, unpack_row};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::Model;
use posy_shared::picture::Picture;
use posy_shared::preprocess::{Size, scratch_len};
use posy_shared::ranking::Ranking;
use posy_tests::small_classifier;

const FORMATS: [PixelFormat; 5] = [
    PixelFormat::Rgb565Be,
    PixelFormat::Rgb565Le,
    PixelFormat::Rgb888,
    PixelFormat::Yuyv,
    PixelFormat::Grey8,
];

#[test]
fn the_loop_gives_what_the_shared_code_gives() {
    let file = small_classifier(3);
    let model = Model::read(&file).unwrap();
    let (width, height) = (20_u16, 14_u16);
    for (seed, pixels) in FORMATS.into_iter().enumerate() {
        let row_len = pixels.row_len(width);
        let bytes: Vec<u8> = (0..row_len * usize::from(height))
            .map(|index| (index * 37 + index / 11 * (seed + 5)) as u8)
            .collect();
        let frame = ImageView::packed(width, height, pixels, &bytes).unwrap();
        let mut arena = vec![0; model.plan().arena_len];
        let mut scratch = vec![0; scratch_len(model.input_shape().width)];
        let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();

        let mut picture =
            Picture::begin(&mut engine, Size { width, height }, &mut scratch).unwrap();
        let mut rgb = vec![0; 3 * usize::from(width)];
        for row in frame.rows() {
            unpack_row(pixels, row, &mut rgb).unwrap();
            picture.push_rgb(&rgb).unwrap();
        }
        let expected = picture.finish().unwrap().to_vec();

        let mut raw = vec![0; row_len];
        let mut camera = StoredFrame::new(frame);
        // Twice: the second capture starts again at the top.
        for _ in 0..2 {
            let mut buffers = RowBuffers {
                raw: &mut raw,
                rgb: &mut rgb,
                scratch: &mut scratch,
            };
            let logits = classify(&mut camera, &mut engine, &mut buffers).unwrap();
            assert_eq!(logits, expected, "{pixels:?}");
        }
        let mut line = Vec::new();
        let ranking = Ranking::<3>::new(&model, &expected);
        report::line(&mut line, &ranking, 412).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert!(line.ends_with("%  412 ms\r\n"), "{line:?}");
        assert!(line.contains(ranking.top().unwrap().label), "{line:?}");
    }
}
