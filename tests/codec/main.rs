//! The client's side of the conversation with the kernel, without a kernel.
//!
//! A second, independent codec reads the requests and writes the answers.

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod golden;
mod halfway;
mod heard;
mod limits;

mod options;
mod program;
mod replies;
mod requests;
mod said;
mod script;
mod shared;
mod table;
mod trouble;
mod values;
mod wire;
mod world;
