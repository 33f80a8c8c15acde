// SPDX-License-Identifier: Apache-2.0
//! Native code as bytes.
//!
//! Wasmtime's C API compiles into a loaded module only: not for another machine, and a panic of a code generator, which
//! works on bytes from outside, would end the process.

use std::ffi::c_int;

use wasmtime_c_api::wasm_engine_t;
use wasmtime_c_api::wasmtime::Engine;

use crate::error::{Failure, QE_EINVAL, QeError, Result, guard, guard_or};
use crate::ffi;

pub struct QeCode {
    bytes: Vec<u8>,
}

impl QeCode {
    /// A handle for C, which frees it.
    pub fn into_handle(bytes: Vec<u8>) -> *mut QeCode {
        Box::into_raw(Box::new(QeCode { bytes }))
    }
}

fn compile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>> {
    match engine.precompile_module(bytes) {
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(Failure::new(QE_EINVAL, error.root_cause().to_string())),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_wasm_compile(
    engine: *const wasm_engine_t,
    bytes: *const u8,
    len: usize,
    out: *mut *mut QeCode,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        // The C API's engine is `#[repr(C)]` with Wasmtime's as its one member.
        let engine = unsafe { &*engine.cast::<Engine>() };
        let code = compile(engine, unsafe { ffi::slice(bytes, len) })?;
        unsafe { *out = QeCode::into_handle(code) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_code_bytes(code: *const QeCode, len: *mut usize) -> *const u8 {
    guard_or(std::ptr::null(), || {
        let bytes = unsafe { &(*code).bytes };
        unsafe { *len = bytes.len() };
        bytes.as_ptr()
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_code_free(code: *mut QeCode) {
    guard_or((), || {
        if !code.is_null() {
            drop(unsafe { Box::from_raw(code) });
        }
    });
}
