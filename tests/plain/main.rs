//! Tests that need no kernel.

mod advice;
mod any;
mod clap_face;
mod commands;
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;
mod difference;
mod everywhere;
mod face;
mod help;
mod interface;
mod library;
mod manifest;
mod manual;
mod readme;
mod renderings;
mod saves;
mod screen;
mod statuses;
mod words;
