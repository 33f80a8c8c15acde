// SPDX-License-Identifier: Apache-2.0
//! The seam between Quidditch (C) and its Rust engines. `include/engine.h` is the contract; this crate carries handles
//! and data and decides nothing that is policy.
//!
//! One file per concern. Every `extern "C"` function goes through [`error::guard`] (or one of its siblings), so that no
//! panic crosses into C. Raw pointers are turned into references at the very edge, in those functions, and nowhere
//! else.

/// Wasmtime's C API, whole: two Rust static libraries cannot be linked into one program.
pub use wasmtime_c_api::*;

mod analysis;
mod blocks;
mod bm25;
mod budget;
mod column;
mod compile;
mod decoded;
mod document;
mod error;
mod exists;
mod extend;
mod ffi;
mod gather;
mod index;
mod inspect;
mod join;
mod json;
mod merge;
mod plan;
mod query;
mod schema;
mod searcher;
mod stored;
mod terms;
mod weight;
