//! What layers' weights leave room for in a lane: found once, when weights are shown, so that rows
//! need not look at each weight again.

use crate::kernels::packed::TERMS;
use crate::kernels::params::Weighted;
use crate::model::MAX_LAYERS;

use super::blocks::Group;

/// How many products of a layer fit a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Room {
    /// Each weight is to be looked at.
    #[default]
    Unknown,
    /// Whatever is added up before lanes are taken apart fits: groups of terms; of a depthwise layer,
    /// two.
    For(Group),
}

/// Of all layers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rooms {
    layers: [Room; MAX_LAYERS],
}

/// Of packed weights over `terms` terms.
fn room(bytes: &[i8], terms: usize) -> Room {
    let (words, _) = bytes.as_chunks::<4>();
    let tame =
        |&[a, b, c, d]: &[i8; 4]| (a, c) != (i8::MIN, i8::MIN) && (b, d) != (i8::MIN, i8::MIN);
    if !words.iter().all(tame) {
        return Room::Unknown;
    }
    let fits = |group: Group| {
        // Four terms of two outputs are two words. The last group of an output is a whole one.
        let fours = terms.div_ceil(TERMS);
        let mut outputs = words.chunks_exact(2 * fours.max(1));
        outputs.all(|words| {
            words.rchunks(2 * group.terms() / TERMS).all(|words| {
                let mut sums = [0_u32; 2];
                for &[a, b, c, d] in words {
                    sums[0] += u32::from(a.unsigned_abs()) + u32::from(c.unsigned_abs());
                    sums[1] += u32::from(b.unsigned_abs()) + u32::from(d.unsigned_abs());
                }
                sums.iter().all(|&sum| sum <= Group::MOST)
            })
        })
    };
    let largest = [Group::Sixteen, Group::Eight]
        .into_iter()
        .find(|&group| fits(group));
    Room::For(largest.unwrap_or(Group::Two))
}

impl Rooms {
    /// Of no layer yet.
    pub const fn new() -> Self {
        Rooms {
            layers: [Room::Unknown; MAX_LAYERS],
        }
    }

    /// Looks at the weights of a layer.
    pub fn note(&mut self, layer: Weighted<'_>) {
        let (index, room) = match layer {
            Weighted::Depthwise3x3(params) => {
                let tame = !params.weights.contains(&i8::MIN);
                let room = if tame {
                    Room::For(Group::Two)
                } else {
                    Room::Unknown
                };
                (params.layer, room)
            }
            Weighted::Conv3x3(params) => (
                params.layer,
                room(params.weights.bytes(), params.weights.terms()),
            ),
            Weighted::Pointwise(params) => (
                params.layer,
                room(params.weights.bytes(), params.weights.terms()),
            ),
            // Its weights are taken one by one.
            Weighted::Dense(_) => return,
        };
        if let Some(known) = self.layers.get_mut(index) {
            *known = room;
        }
    }

    /// Of a layer; unknown where it has not been shown.
    pub fn of(&self, layer: usize) -> Room {
        self.layers.get(layer).copied().unwrap_or_default()
    }
}

impl Default for Rooms {
    fn default() -> Self {
        Self::new()
    }
}
