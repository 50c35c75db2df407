//! From folders to labelled photos: finding, decoding, splitting.
