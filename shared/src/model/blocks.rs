//! The two blocks that weights and tables lie in: one of the backbone, one of the head.

/// Marks an offset into the head's block; without it an offset is into the backbone's.
pub const HEAD_BLOCK: u32 = 1 << 31;

/// Weights and tables of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks<'a> {
    /// Weights of all layers but a last dense one, and the pixel table.
    pub backbone: &'a [u8],
    /// Weights of a last dense layer, and the tables of familiarity.
    pub head: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// The bytes `offset..offset + len` of the block that the offset's highest bit names.
    #[inline]
    pub(crate) fn region(&self, offset: u32, len: usize) -> Option<&'a [u8]> {
        let block = match offset & HEAD_BLOCK {
            0 => self.backbone,
            _ => self.head,
        };
        let start = usize::try_from(offset & !HEAD_BLOCK).ok()?;
        block.get(start..start.checked_add(len)?)
    }
}
