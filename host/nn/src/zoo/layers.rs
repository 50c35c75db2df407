//! Layers of an architecture, derived from its name alone.

use posy_shared::model::{Op, Padding, Shape};

use super::{Architecture, Version};
use crate::graph::network::{Activation, Common};
use crate::graph::padding::same_padding;

/// Output channels of each pair of layers at full width, and stride of its depthwise layer (table 1
/// of the paper on version 1).
const PAIRS_V1: [(u16, u8); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

/// Expansion, output channels at full width, number of blocks, stride of the first block (table 2
/// of the paper on version 2).
const BLOCKS_V2: [(u16, u16, usize, u8); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

impl Architecture {
    /// Every layer from the input to the pooled features, in running order.
    pub fn layers(&self) -> Vec<Common> {
        let input = Shape {
            height: self.size,
            width: self.size,
            channels: 3,
        };
        let mut chain = Chain {
            shape: input,
            layers: Vec::new(),
        };
        match self.version {
            Version::V1 => self.layers_v1(&mut chain),
            Version::V2 => self.layers_v2(&mut chain),
        }
        let features = Shape {
            height: 1,
            width: 1,
            ..chain.shape
        };
        chain.push("pool", Op::GlobalAveragePool, features, 1, Activation::None);
        chain.layers
    }

    fn layers_v1(&self, chain: &mut Chain) {
        // Channels are rounded down, to at least 8 (`depth` in TensorFlow's
        // slim/nets/mobilenet_v1.py).
        let channels =
            |full: u16| (u32::from(full) * u32::from(self.width_percent) / 100).max(8) as u16;
        chain.window("conv_0", Op::Conv3x3, channels(32), 2);
        for (index, (full, stride)) in (1..).zip(PAIRS_V1) {
            chain.window(
                &format!("conv_{index}_depthwise"),
                Op::Depthwise3x3,
                chain.shape.channels,
                stride,
            );
            chain.pointwise(
                &format!("conv_{index}_pointwise"),
                channels(full),
                Activation::Relu6,
            );
        }
    }

    fn layers_v2(&self, chain: &mut Chain) {
        let channels = |full: u16| divisible(full, self.width_percent);
        chain.window("conv", Op::Conv3x3, channels(32), 2);
        let mut block = 0;
        for (expansion, full, count, first_stride) in BLOCKS_V2 {
            for index in 0..count {
                let stride = if index == 0 { first_stride } else { 1 };
                let (before, skip) = (chain.shape, chain.layers.len() - 1);
                if expansion > 1 {
                    chain.pointwise(
                        &format!("block_{block}_expand"),
                        before.channels * expansion,
                        Activation::Relu6,
                    );
                }
                chain.window(
                    &format!("block_{block}_depthwise"),
                    Op::Depthwise3x3,
                    chain.shape.channels,
                    stride,
                );
                chain.pointwise(
                    &format!("block_{block}_project"),
                    channels(full),
                    Activation::None,
                );
                if chain.shape == before {
                    chain.push(
                        &format!("block_{block}_add"),
                        Op::Add,
                        before,
                        1,
                        Activation::None,
                    );
                    if let Some(add) = chain.layers.last_mut() {
                        add.skip = Some(skip);
                    }
                }
                block += 1;
            }
        }
        // The last layer is never narrower than at full width.
        let last = divisible(1280, self.width_percent.max(100));
        chain.pointwise("conv_last", last, Activation::Relu6);
    }
}

/// Channels of version 2: the nearest multiple of 8 that is at least nine tenths of the exact width
/// (`_make_divisible` in TensorFlow's slim/nets/mobilenet/mobilenet.py).
fn divisible(full: u16, width_percent: u16) -> u16 {
    let hundredths = u32::from(full) * u32::from(width_percent);
    let nearest = ((hundredths + 400) / 800 * 8).max(8);
    let enough = nearest * 1000 >= hundredths * 9;
    (if enough { nearest } else { nearest + 8 }) as u16
}

/// Layers so far, and the output shape of the last one.
struct Chain {
    shape: Shape,
    layers: Vec<Common>,
}

impl Chain {
    /// A 3 x 3 layer with TensorFlow's SAME padding and ReLU6.
    fn window(&mut self, name: &str, op: Op, channels: u16, stride: u8) {
        let extent = |e: u16| e.div_ceil(u16::from(stride));
        let output = Shape {
            height: extent(self.shape.height),
            width: extent(self.shape.width),
            channels,
        };
        let padding = same_padding(self.shape, 3, stride);
        self.push(name, op, output, stride, Activation::Relu6);
        if let Some(layer) = self.layers.last_mut() {
            layer.padding = padding;
        }
    }

    fn pointwise(&mut self, name: &str, channels: u16, activation: Activation) {
        self.push(
            name,
            Op::Pointwise,
            Shape {
                channels,
                ..self.shape
            },
            1,
            activation,
        );
    }

    fn push(&mut self, name: &str, op: Op, output: Shape, stride: u8, activation: Activation) {
        let input = std::mem::replace(&mut self.shape, output);
        let padding = Padding::default();
        let name = name.into();
        self.layers.push(Common {
            name,
            op,
            input,
            output,
            stride,
            padding,
            activation,
            skip: None,
        });
    }
}
