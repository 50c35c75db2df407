//! The documentation: links, code blocks, prose, transcripts and pictures; packages and licences.

mod links;
mod packages;
mod prose;
mod transcripts;
