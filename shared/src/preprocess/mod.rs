//! From rows of pixels to the rows of int8 numbers that a network reads.
