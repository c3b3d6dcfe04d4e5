//! Tests that need no kernel.

mod clap_face;
mod commands;
mod manifest;
mod renderings;
mod words;
