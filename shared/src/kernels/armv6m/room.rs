//! Lane headroom of each channel: the number of products that fit a 16-bit lane. It is computed once,
//! when weights are prepacked, so that rows need not check each weight again.

use crate::kernels::packed::{Packed, TERMS};
use crate::kernels::params::Weighted;

use super::blocks::Group;
use super::depthwise::TAPS;

/// Layers with stored headroom, as many as MobileNet v2 has; the weights of later layers are checked
/// row by row.
const LAYERS: usize = 64;

/// Channels in a byte of [`Rooms::groups`], two bits each.
const IN_BYTE: usize = 4;

/// Bytes of groups: for all 2,800 channels of v1 0.25. They are copied whenever the kernels are moved,
/// and a board's stack is small. If a network has more channels, all channels of its last layers share
/// the smallest group.
const BYTES: usize = 704;

/// Headroom of a layer.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// Address of its weights, from which the first channel of a part of the layer follows.
    weights: usize,
    /// Index of the first byte of its channels' groups; past the end if they are not stored.
    start: u16,
    /// True if no two weights that share a lane are both -128 or, in a depthwise layer, no weight is.
    tame: bool,
    /// The smallest group of its channels, which is safe for all of them.
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

/// Headroom of every layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rooms {
    layers: [Known; LAYERS],
    groups: [u8; BYTES],
    /// Bytes of `groups` in use.
    used: u16,
    /// Index after that of the layer that was prepacked last.
    next: usize,
}

/// Headroom of the channels of a layer, or of a part of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels<'a> {
    known: &'a Known,
    /// Groups from the layer's first channel on, if they are stored.
    each: &'a [u8],
    /// The part's first channel.
    first: usize,
}

impl Channels<'_> {
    /// Returns true if weights need no check for pairs of -128 or, in a depthwise layer, for a single
    /// one; false if the layer has not been prepacked.
    pub fn tame(&self) -> bool {
        self.known.tame
    }

    /// Group of a channel of the part.
    pub fn of(&self, channel: usize) -> Group {
        let place = self.first.wrapping_add(channel);
        match self.each.get(place / IN_BYTE) {
            Some(byte) => Group::ALL[usize::from(byte >> (place % IN_BYTE * 2) & 3) % 3],
            None => self.known.least,
        }
    }
}

/// Groups of a pair of channels' packed weights; `None` if two weights that share a lane are both -128.
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
            // Sixteen fit only if every eight of them do.
            if fits(group, output) {
                *largest = group;
            }
        }
    }
    words.iter().all(tame).then_some(groups)
}

/// Group of a channel of a depthwise layer, whose nine weights fit a lane together or not, and a
/// second, unused group; `None` if a weight is -128.
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

/// Returns true if the products with these weights fit a lane all together.
fn small(weights: impl Iterator<Item = i8>) -> bool {
    let magnitudes = weights.map(|weight| u32::from(weight.unsigned_abs()));
    magnitudes.sum::<u32>() <= Group::MOST
}

impl Rooms {
    /// Creates the table without any layer.
    pub const fn new() -> Self {
        Rooms {
            layers: [Known::NOTHING; LAYERS],
            groups: [0; BYTES],
            used: 0,
            next: 0,
        }
    }

    /// Records the headroom of a layer. Layers come in ascending order: an index that is not above the
    /// last starts another model.
    pub fn note(&mut self, layer: Weighted<'_>) {
        match layer {
            Weighted::Depthwise3x3(params) => self.put(params.layer, params.weights, TAPS, 1),
            Weighted::Conv3x3(params) => self.put_packed(params.layer, params.weights),
            Weighted::Pointwise(params) => self.put_packed(params.layer, params.weights),
            // Dense weights are used one by one, without lanes.
            Weighted::Dense(_) => {}
        }
    }

    fn put_packed(&mut self, layer: usize, weights: Packed<'_>) {
        self.put(layer, weights.bytes(), 2 * channel_bytes(weights), 2);
    }

    /// Stores the headroom of a layer, whose weights take `bytes` bytes for every `channels` channels:
    /// a packed pair, or one channel of a depthwise layer.
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

    /// Headroom of a layer with packed weights, or of a part of it.
    pub fn of_packed(&self, layer: usize, weights: Packed<'_>) -> Channels<'_> {
        self.of(layer, weights.bytes(), channel_bytes(weights))
    }

    /// Headroom of a depthwise layer, or of a part of it.
    pub fn of_depthwise(&self, layer: usize, weights: &[i8]) -> Channels<'_> {
        self.of(layer, weights, TAPS)
    }

    /// Headroom of a layer with `channel_bytes` bytes a channel; unknown if the layer has not been
    /// prepacked.
    fn of(&self, layer: usize, weights: &[i8], channel_bytes: usize) -> Channels<'_> {
        let known = self.layers.get(layer).unwrap_or(const { &Known::NOTHING });
        let before = weights.as_ptr().addr().wrapping_sub(known.weights);
        Channels {
            known,
            // An unknown layer has no groups.
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
