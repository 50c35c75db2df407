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

/// How many products of a layer fit a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// Each weight is to be looked at.
    Unknown,
    /// Whatever is added up before lanes are taken apart fits: for every channel, such groups of
    /// terms.
    For(Group),
}

/// What is known of a layer.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// Where its weights lie: a part of the layer is told by where its own do.
    weights: usize,
    /// The byte in which its channels' groups begin; none where it is beyond.
    start: u16,
    room: Room,
}

impl Known {
    const NOTHING: Known = Known {
        weights: 0,
        start: u16::MAX,
        room: Room::Unknown,
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
    room: Room,
    /// Groups from the layer's first channel on, if they are known.
    each: &'a [u8],
    /// The part's first channel.
    first: usize,
}

impl Channels<'_> {
    /// Whether no two weights that meet are both -128, or in a depthwise layer, none is at all.
    pub fn tame(&self) -> bool {
        self.room != Room::Unknown
    }

    /// The group of a channel of the part.
    pub fn of(&self, channel: usize) -> Group {
        let Room::For(least) = self.room else {
            return Group::Two;
        };
        let place = self.first.wrapping_add(channel);
        self.each.get(place / IN_BYTE).map_or(least, |byte| {
            match byte >> (place % IN_BYTE * 2) & 3 {
                0 => Group::Two,
                1 => Group::Eight,
                _ => Group::Sixteen,
            }
        })
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
            let weights = words
                .iter()
                .flat_map(|word| [word[output], word[output + 2]]);
            small(weights)
        })
    };
    let largest = |output| {
        let mut groups = [Group::Sixteen, Group::Eight].into_iter();
        groups
            .find(|&group| fits(group, output))
            .unwrap_or(Group::Two)
    };
    words.iter().all(tame).then(|| [largest(0), largest(1)])
}

/// Of a channel of a depthwise layer, whose nine weights are a group or not; None where one is -128.
fn of_taps(taps: &[i8]) -> Option<[Group; 1]> {
    let group = match small(taps.iter().copied()) {
        true => Group::Sixteen,
        false => Group::Two,
    };
    (!taps.contains(&i8::MIN)).then_some([group])
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
            Weighted::Depthwise3x3(params) => {
                let channels = params.weights.chunks_exact(TAPS).map(of_taps);
                self.put(params.layer, params.weights, channels);
            }
            Weighted::Conv3x3(params) => self.put_packed(params.layer, params.weights),
            Weighted::Pointwise(params) => self.put_packed(params.layer, params.weights),
            // Its weights are taken one by one.
            Weighted::Dense(_) => {}
        }
    }

    fn put_packed(&mut self, layer: usize, weights: Packed<'_>) {
        let bytes = weights.bytes();
        let pairs = bytes.chunks_exact(2 * channel_bytes(weights));
        self.put(layer, bytes, pairs.map(of_packed));
    }

    /// Puts down what is known of a layer with such weights, some channels at a time.
    fn put<const N: usize>(
        &mut self,
        layer: usize,
        weights: &[i8],
        channels: impl ExactSizeIterator<Item = Option<[Group; N]>>,
    ) {
        if layer < self.next {
            *self = Rooms::new();
        }
        self.next = layer + 1;
        let Some(known) = self.layers.get_mut(layer) else {
            return;
        };
        let bytes = (N * channels.len()).div_ceil(IN_BYTE);
        let start = usize::from(self.used);
        let mut places = self.groups.get_mut(start..start + bytes);
        let mut least = Group::Sixteen;
        for (index, groups) in channels.enumerate() {
            let Some(groups) = groups else {
                return;
            };
            for (channel, group) in (N * index..).zip(groups) {
                least = least.min(group);
                let byte = places
                    .as_mut()
                    .and_then(|bytes| bytes.get_mut(channel / IN_BYTE));
                if let Some(byte) = byte {
                    let place = channel % IN_BYTE * 2;
                    *byte = *byte & !(3 << place) | (group as u8) << place;
                }
            }
        }
        known.room = Room::For(least);
        known.weights = weights.as_ptr().addr();
        if places.is_some() {
            known.start = self.used;
            self.used += bytes as u16;
        }
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
        let known = self.layers.get(layer).unwrap_or(&Known::NOTHING);
        let before = weights.as_ptr().addr().wrapping_sub(known.weights);
        Channels {
            room: known.room,
            each: self
                .groups
                .get(usize::from(known.start)..)
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
