//! What channels' weights leave room for in a lane: found once, when weights are shown, so that rows
//! need not look at each weight again.

use crate::kernels::packed::{Packed, TERMS};
use crate::kernels::params::Weighted;

use super::blocks::Group;
use super::depthwise::TAPS;

/// Layers that are known; each of those beyond is looked at row by row. As many as v2 has.
const LAYERS: usize = 64;

/// Channels in a byte of [`Rooms::groups`], two bits each.
const IN_BYTE: usize = 4;

/// Bytes of groups: for all 2,800 channels of v1 0.25. They are copied wherever kernels are handed
/// on, and a board's stack is small: where a network has more channels, its last layers have the
/// same group for each of theirs.
const BYTES: usize = 704;

/// What is known of a layer.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// Where its weights lie: a part of the layer is told by where its own do.
    weights: usize,
    /// The byte in which its channels' groups begin; beyond the last where they are not known.
    start: u16,
    /// Whether no two weights that meet are both -128, or in a depthwise layer, none is at all.
    tame: bool,
    /// The group that suits all its channels.
    least: Group,
}

impl Known {
    const NOTHING: Known = Known {
        weights: 0,
        start: 0,
        tame: false,
        least: Group::Two,
    };
}

/// Of all layers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rooms {
    layers: [Known; LAYERS],
    groups: [u8; BYTES],
    /// Bytes of them in use.
    used: u16,
    /// One beyond the layer that was shown last.
    next: usize,
}

/// Room of the channels of a layer, or of a part of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels<'a> {
    known: &'a Known,
    /// Groups from the layer's first channel on, if they are known.
    each: &'a [u8],
    /// The part's first channel.
    first: usize,
}

impl Channels<'_> {
    /// Whether weights need not be looked at for pairs of -128, or for one in a depthwise layer;
    /// false where the layer has not been shown.
    pub fn tame(&self) -> bool {
        self.known.tame
    }

    /// The group of a channel of the part.
    pub fn of(&self, channel: usize) -> Group {
        let place = self.first.wrapping_add(channel);
        match self.each.get(place / IN_BYTE) {
            Some(byte) => Group::ALL[usize::from(byte >> (place % IN_BYTE * 2) & 3) % 3],
            None => self.known.least,
        }
    }
}

/// Of a pair of channels' packed weights; None where two that meet are both -128.
fn of_packed(bytes: &[i8]) -> Option<[Group; 2]> {
    let (words, _) = bytes.as_chunks::<4>();
    let tame =
        |&[a, b, c, d]: &[i8; 4]| (a, c) != (i8::MIN, i8::MIN) && (b, d) != (i8::MIN, i8::MIN);
    // Four terms of two outputs are two words. The last group of an output is a whole one.
    let fits = |group: Group, output: usize| {
        words.rchunks(2 * group.terms() / TERMS).all(|words| {
            small(
                words
                    .iter()
                    .flat_map(|word| [word[output], word[output + 2]]),
            )
        })
    };
    let mut groups = [Group::Two; 2];
    for (output, largest) in groups.iter_mut().enumerate() {
        for group in [Group::Eight, Group::Sixteen] {
            // Sixteen fit only where all eights of them do.
            if fits(group, output) {
                *largest = group;
            }
        }
    }
    words.iter().all(tame).then_some(groups)
}

/// Of a channel of a depthwise layer, whose nine weights are a group or not, and of none; None where
/// one is -128.
fn of_taps(taps: &[i8]) -> Option<[Group; 2]> {
    let group = match small(taps.iter().copied()) {
        true => Group::Sixteen,
        false => Group::Two,
    };
    (!taps.contains(&i8::MIN)).then_some([group, Group::Sixteen])
}

/// Bytes of a channel's packed weights.
fn channel_bytes(weights: Packed<'_>) -> usize {
    weights.terms().next_multiple_of(TERMS).max(1)
}

/// Whether products with these weights fit a lane all together.
fn small(weights: impl Iterator<Item = i8>) -> bool {
    let magnitudes = weights.map(|weight| u32::from(weight.unsigned_abs()));
    magnitudes.sum::<u32>() <= Group::MOST
}

impl Rooms {
    /// Of no layer yet.
    pub const fn new() -> Self {
        Rooms {
            layers: [Known::NOTHING; LAYERS],
            groups: [0; BYTES],
            used: 0,
            next: 0,
        }
    }

    /// Looks at the weights of a layer. Layers are shown in their order: with one that is not after
    /// the last, another model begins.
    pub fn note(&mut self, layer: Weighted<'_>) {
        match layer {
            Weighted::Depthwise3x3(params) => self.put(params.layer, params.weights, TAPS, 1),
            Weighted::Conv3x3(params) => self.put_packed(params.layer, params.weights),
            Weighted::Pointwise(params) => self.put_packed(params.layer, params.weights),
            // Its weights are taken one by one.
            Weighted::Dense(_) => {}
        }
    }

    fn put_packed(&mut self, layer: usize, weights: Packed<'_>) {
        self.put(layer, weights.bytes(), 2 * channel_bytes(weights), 2);
    }

    /// Puts down what is known of a layer whose weights are of so many bytes for each so many
    /// channels: a packed pair, or one of a depthwise layer.
    #[inline(never)]
    fn put(&mut self, layer: usize, weights: &[i8], bytes: usize, channels: usize) {
        if layer < self.next {
            *self = Rooms::new();
        }
        self.next = layer + 1;
        let Some(known) = self.layers.get_mut(layer) else {
            return;
        };
        let of = if channels == 1 { of_taps } else { of_packed };
        let start = usize::from(self.used);
        let end = start + (weights.len() / bytes * channels).div_ceil(IN_BYTE);
        let mut places = self.groups.get_mut(start..end);
        let mut least = Group::Sixteen;
        for (index, weights) in weights.chunks_exact(bytes).enumerate() {
            let Some(groups) = of(weights) else {
                return;
            };
            for (channel, group) in (channels * index..).zip(groups).take(channels) {
                least = least.min(group);
                if let Some(places) = &mut places {
                    let (byte, place) = (&mut places[channel / IN_BYTE], channel % IN_BYTE * 2);
                    *byte = *byte & !(3 << place) | (group as u8) << place;
                }
            }
        }
        let (start, used) = match places {
            Some(_) => (start, end),
            None => (BYTES, start),
        };
        self.used = used as u16;
        *known = Known {
            weights: weights.as_ptr().addr(),
            start: start as u16,
            tame: true,
            least,
        };
    }

    /// Of a layer with packed weights, or of a part of it.
    pub fn of_packed(&self, layer: usize, weights: Packed<'_>) -> Channels<'_> {
        self.of(layer, weights.bytes(), channel_bytes(weights))
    }

    /// Of a depthwise layer, or of a part of it.
    pub fn of_depthwise(&self, layer: usize, weights: &[i8]) -> Channels<'_> {
        self.of(layer, weights, TAPS)
    }

    /// Where each channel has so many bytes; unknown where the layer has not been shown.
    fn of(&self, layer: usize, weights: &[i8], channel_bytes: usize) -> Channels<'_> {
        let known = self.layers.get(layer).unwrap_or(const { &Known::NOTHING });
        let before = weights.as_ptr().addr().wrapping_sub(known.weights);
        Channels {
            known,
            // Of a layer that is not known nothing begins anywhere.
            each: self
                .groups
                .get(usize::from(known.start)..)
                .filter(|_| known.tame)
                .unwrap_or_default(),
            first: before / channel_bytes,
        }
    }
}

impl Default for Rooms {
    fn default() -> Self {
        Self::new()
    }
}
