//! A file decoded and encoded again by the description in `FORMAT.md`, without the writer's checks.

use posy_shared::kernels::Packed;
use posy_shared::kernels::requant::Multiplier;
use posy_shared::model::{
    AddTables, ChannelTables, FORMAT_VERSION, Golden, HEAD_BLOCK, InputContract, Layer, LayerSpec,
    Op, Provenance, SplitFacts, Tables, Verdict,
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
    /// The backbone's block and the head's: here they are alike, so an offset may be into either.
    pub block: Vec<u8>,
}

fn field(file: &[u8], at: usize) -> usize {
    u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize
}

impl Raw {
    pub fn decode(file: &[u8]) -> Self {
        let header_end = 48 + field(file, 32);
        let (input, mut layers, cuts, arena_len, labels, mut verdict, _, golden): Header<'_> =
            postcard::from_bytes(&file[48..header_end]).unwrap();
        let head_len = field(file, 16);
        let mut block = file[field(file, 20)..].to_vec();
        block.resize(block.len().next_multiple_of(16), 0);
        // Behind the backbone's block follows the head's.
        let start = block.len() as u32;
        let head_block = &file[header_end.next_multiple_of(16)..head_len];
        let mut end = 0;
        let last = layers.last().unwrap();
        if last.weights & HEAD_BLOCK != 0 {
            end = (last.tables & !HEAD_BLOCK) as usize + last.table_len();
        }
        if let Some(acceptance) = &verdict.acceptance {
            let len = last.input.len() * (3 + usize::from(acceptance.prototypes));
            end = (acceptance.table & !HEAD_BLOCK) as usize + len;
        }
        // What fills it up is not part of it.
        block.extend(&head_block[..end]);
        let moved = |offset: &mut u32| {
            if *offset & HEAD_BLOCK != 0 {
                *offset = (*offset & !HEAD_BLOCK) + start;
            }
        };
        for layer in &mut layers {
            moved(&mut layer.weights);
            moved(&mut layer.tables);
        }
        if let Some(acceptance) = &mut verdict.acceptance {
            moved(&mut acceptance.table);
        }
        Raw {
            input,
            layers,
            cuts,
            arena_len,
            labels: labels.into(),
            verdict,
            golden_seed: golden.seed,
            golden_logits: golden.logits.into(),
            block,
        }
    }

    /// The bytes at an offset, to the end of its block.
    fn at(&self, offset: u32) -> Vec<u8> {
        let mut bytes = self.block[(offset & !HEAD_BLOCK) as usize..].to_vec();
        if offset & HEAD_BLOCK != 0 {
            // As far as the head can be filled up.
            bytes.resize(bytes.len() + 4096, 0xFF);
        }
        bytes
    }

    /// The file, its lengths and checksum right whatever the rest says.
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
        let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
        let mut head = b"POSY".to_vec();
        head.extend(FORMAT_VERSION.to_le_bytes());
        head.resize(32, 0);
        head.extend((header.len() as u32).to_le_bytes());
        head.extend(crc.checksum(&self.block).to_le_bytes());
        head.extend([0; 8]);
        head.extend(header);
        head.resize(head.len().next_multiple_of(16), 0);
        head.extend(&self.block);
        head.resize(head.len().next_multiple_of(4096), 0xFF);
        let head_len = (head.len() as u32).to_le_bytes();
        head[16..20].copy_from_slice(&head_len);
        head[20..24].copy_from_slice(&head_len);
        head[24..28].copy_from_slice(&(self.block.len() as u32).to_le_bytes());
        let sum = crc.checksum(&[&head[..28], &head[32..]].concat());
        head[28..32].copy_from_slice(&sum.to_le_bytes());
        [&head[..], &self.block].concat()
    }

    fn i32s(&self, offset: u32, count: usize) -> Vec<i32> {
        self.at(offset)[..4 * count]
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
        let bytes: Vec<i8> = self.at(layer.weights)[..len]
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
            let tables = layer.tables;
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
                        .i32s(tables + 4 * channels as u32, channels)
                        .into_iter()
                        .zip(self.at(tables + 8 * channels as u32))
                        .map(|(mantissa, shift)| scale((mantissa, shift as i8)))
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
