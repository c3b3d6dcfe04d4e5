//! Tests that need no kernel.

mod clap_face;
mod commands;
mod library;
mod manifest;
mod renderings;
mod words;
