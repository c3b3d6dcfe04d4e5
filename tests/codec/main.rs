//! The client's side of the conversation with the kernel, without a kernel.
//!
//! What is sent is read by a second, independent codec, and what is answered is written by it.

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
