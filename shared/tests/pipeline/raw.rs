//! A file decoded and encoded again by the description in `FORMAT.md`, without the writer's checks.

use posy_shared::kernels::Packed;
use posy_shared::kernels::requant::Multiplier;
use posy_shared::model::{
    AddTables, ChannelTables, Golden, InputContract, Layer, LayerSpec, Op, Provenance, SplitFacts,
    Tables, Verdict,
};

/// The header in the order of `FORMAT.md`.
type Header<'a> = (
    InputContract,
    Vec<Layer>,
    Vec<u8>,
    u32,
    &'a str,
    Verdict,
    Provenance<'a>,
    Golden<'a>,
);

/// Fields of a file, any of which may be wrong.
#[derive(Clone, Debug)]
pub struct Raw {
    pub input: InputContract,
    pub layers: Vec<Layer>,
    pub cuts: Vec<u8>,
    pub arena_len: u32,
    pub labels: String,
    pub verdict: Verdict,
    pub golden_seed: u32,
    pub golden_logits: Vec<u8>,
    pub block: Vec<u8>,
}

fn field(file: &[u8], at: usize) -> usize {
    u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize
}

impl Raw {
    pub fn decode(file: &[u8]) -> Self {
        let header_end = 20 + field(file, 8);
        let (input, layers, cuts, arena_len, labels, verdict, _, golden): Header<'_> =
            postcard::from_bytes(&file[20..header_end]).unwrap();
        Raw {
            input,
            layers,
            cuts,
            arena_len,
            labels: labels.into(),
            verdict,
            golden_seed: golden.seed,
            golden_logits: golden.logits.into(),
            block: file[header_end.next_multiple_of(16)..].into(),
        }
    }

    /// Encodes the file with valid lengths and checksum, whatever the other fields are.
    pub fn encode(&self) -> Vec<u8> {
        let provenance = Provenance {
            architecture: "raw",
            backbone_sha256: [7; 32],
            posy_version: "test",
            split: SplitFacts::default(),
            float_accuracy: None,
            int8_accuracy: None,
        };
        let header: Header<'_> = (
            self.input,
            self.layers.clone(),
            self.cuts.clone(),
            self.arena_len,
            &self.labels,
            self.verdict,
            provenance,
            Golden {
                seed: self.golden_seed,
                logits: &self.golden_logits,
            },
        );
        let header = postcard::to_allocvec(&header).unwrap();
        let mut file = b"POSY\x04\0\0\0".to_vec();
        file.extend((header.len() as u32).to_le_bytes());
        file.extend([0; 8]);
        file.extend(header);
        file.resize(file.len().next_multiple_of(16), 0);
        file.extend(&self.block);
        let total = file.len() as u32;
        file[12..16].copy_from_slice(&total.to_le_bytes());
        let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&file[20..]);
        file[16..20].copy_from_slice(&sum.to_le_bytes());
        file
    }

    fn i32s(&self, offset: usize, count: usize) -> Vec<i32> {
        let bytes = &self.block[offset..][..4 * count];
        bytes
            .chunks_exact(4)
            .map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap()))
            .collect()
    }

    /// The weights of a layer, unpacked from the block into the order of the reference networks.
    fn weights(&self, layer: &Layer) -> Vec<i8> {
        let len = layer.weight_len();
        if len == 0 {
            return Vec::new();
        }
        let bytes: Vec<i8> = self.block[layer.weights as usize..][..len]
            .iter()
            .map(|&byte| byte as i8)
            .collect();
        if layer.op == Op::Depthwise3x3 {
            return bytes;
        }
        let packed = Packed::new(&bytes, layer.terms());
        (0..layer.output.channels.into())
            .flat_map(|output| packed.of(output))
            .collect()
    }

    /// The layers with their weights and tables from the block.
    pub fn specs(&self) -> Vec<LayerSpec> {
        let spec = |layer: &Layer| {
            let channels = usize::from(layer.output.channels);
            let tables = layer.tables as usize;
            let scale = |(mantissa, shift): (i32, i8)| Multiplier { mantissa, shift };
            let numbers = match layer.op {
                Op::GlobalAveragePool | Op::Flatten => Tables::None,
                Op::Mean => {
                    let pair = self.i32s(tables, 2);
                    Tables::Mean(scale((pair[0], pair[1] as i8)))
                }
                Op::Add => {
                    let pairs = self.i32s(tables, 6);
                    let pair = |at: usize| scale((pairs[at], pairs[at + 1] as i8));
                    Tables::Add(AddTables {
                        a: pair(0),
                        b: pair(2),
                        output: pair(4),
                    })
                }
                _ => Tables::Channels(ChannelTables {
                    bias: self.i32s(tables, channels),
                    scale: self
                        .i32s(tables + 4 * channels, channels)
                        .into_iter()
                        .zip(&self.block[tables + 8 * channels..])
                        .map(|(mantissa, &shift)| scale((mantissa, shift as i8)))
                        .collect(),
                }),
            };
            LayerSpec {
                layer: *layer,
                weights: self.weights(layer),
                tables: numbers,
            }
        };
        self.layers.iter().map(spec).collect()
    }
}
