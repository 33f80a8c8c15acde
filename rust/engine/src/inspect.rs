// SPDX-License-Identifier: Apache-2.0
//! What a wasm module is made of, found without Wasmtime.
//!
//! The bytes are hostile: everything is validated first, nothing recurses, and what is kept is bounded by the size of
//! the module (signatures are kept once per type, however many exports share one).

use std::ffi::{c_char, c_int};

use wasmparser::{
    BinaryReaderError, CustomSectionReader, Export, ExternalKind, FuncType, FuncValidatorAllocations, FunctionBody,
    Import, Parser, Payload, TypeRef, ValType, ValidPayload, Validator, WasmFeatures,
};

use crate::error::{Failure, QE_ESYNTAX, QeError, Result, guard, guard_or};
use crate::ffi;

mod calls;
mod cost;

/// Beyond this many a module is refused: no function needs them, and each costs memory.
const MAX_ITEMS: usize = 100_000;

/// In the order of `qe_wasm_type`.
fn type_of(t: &ValType) -> c_int {
    match t {
        ValType::I32 => 0,
        ValType::I64 => 1,
        ValType::F32 => 2,
        ValType::F64 => 3,
        ValType::V128 => 4,
        ValType::Ref(_) => 5,
    }
}

/// `qe_wasm_extern` of engine.h.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extern {
    Func,
    Table,
    Memory,
    Global,
    Tag,
}

/// `qe_wasm_item` of engine.h.
#[repr(C)]
struct QeWasmItem {
    kind: Extern,
    module: *const c_char,
    name: *const c_char,
    module_len: usize,
    name_len: usize,
    params: *const c_int,
    results: *const c_int,
    n_params: usize,
    n_results: usize,
    min: u64,
    max: u64,
}

/// `qe_wasm_custom` of engine.h.
#[repr(C)]
struct QeWasmCustom {
    name: *const c_char,
    name_len: usize,
    data: *const u8,
    data_len: usize,
}

/// `qe_wasm_shape` of engine.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct QeWasmShape {
    functions: u32,
    tables: u32,
    globals: u32,
    data_segments: u32,
    has_start: bool,
    is_bounded: bool,
    longest_path: u64,
}

#[derive(Clone, Copy)]
struct Limits {
    min: u64,
    max: u64,
}

const NO_LIMITS: Limits = Limits { min: 0, max: 0 };

struct Signature {
    params: Box<[c_int]>,
    results: Box<[c_int]>,
}

impl Signature {
    fn new(t: &FuncType) -> Signature {
        Signature {
            params: t.params().iter().map(type_of).collect(),
            results: t.results().iter().map(type_of).collect(),
        }
    }
}

/// A module read, and the memory that the views of C point into.
pub struct QeWasmInfo {
    imports: Vec<QeWasmItem>,
    exports: Vec<QeWasmItem>,
    customs: Vec<QeWasmCustom>,
    shape: QeWasmShape,
    /// Names and custom data, at addresses that stay.
    kept: Vec<Box<[u8]>>,
    /// Signatures likewise; one per type.
    signatures: Vec<Signature>,
}

impl QeWasmInfo {
    fn keep(&mut self, bytes: &[u8]) -> (*const u8, usize) {
        let kept: Box<[u8]> = bytes.into();
        let view = (kept.as_ptr(), kept.len());
        self.kept.push(kept);
        view
    }

    fn item(&mut self, kind: Extern, module: &str, name: &str, limits: Limits, signature: Option<usize>) -> QeWasmItem {
        let (module, module_len) = self.keep(module.as_bytes());
        let (name, name_len) = self.keep(name.as_bytes());
        let (params, results): (&[c_int], &[c_int]) = match signature.and_then(|i| self.signatures.get(i)) {
            Some(signature) => (&signature.params, &signature.results),
            None => (&[], &[]),
        };
        QeWasmItem {
            kind,
            module: module.cast(),
            name: name.cast(),
            module_len,
            name_len,
            params: params.as_ptr(),
            results: results.as_ptr(),
            n_params: params.len(),
            n_results: results.len(),
            min: limits.min,
            max: limits.max,
        }
    }
}

/// The index spaces while a module is read.
struct Inspector {
    info: QeWasmInfo,
    /// The type of each function, imported ones first.
    functions: Vec<usize>,
    tables: Vec<Limits>,
    memories: Vec<Limits>,
    calls: calls::Graph,
}

fn syntax(error: &BinaryReaderError) -> Failure {
    Failure {
        code: QE_ESYNTAX,
        line: 0,
        column: 0,
        offset: error.offset() as u64,
        message: error.message().to_string(),
    }
}

fn too_many(what: &str) -> Failure {
    Failure::new(QE_ESYNTAX, format!("the module has more than {MAX_ITEMS} {what}"))
}

impl From<BinaryReaderError> for Failure {
    fn from(error: BinaryReaderError) -> Failure {
        syntax(&error)
    }
}

impl Inspector {
    fn new() -> Inspector {
        let info = QeWasmInfo {
            imports: Vec::new(),
            exports: Vec::new(),
            customs: Vec::new(),
            shape: QeWasmShape::default(),
            kept: Vec::new(),
            signatures: Vec::new(),
        };
        Inspector {
            info,
            functions: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            calls: calls::Graph::default(),
        }
    }

    /// Reads a payload that has been validated.
    fn payload(&mut self, payload: Payload) -> Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                for t in section.into_iter_err_on_gc_types() {
                    self.info.signatures.push(Signature::new(&t?));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.import(&import?)?;
                }
            }
            Payload::FunctionSection(section) => {
                for t in section {
                    self.functions.push(t? as usize);
                    self.info.shape.functions += 1;
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let t = table?.ty;
                    self.tables.push(Limits { min: t.initial, max: t.maximum.unwrap_or(u64::MAX) });
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let m = memory?;
                    self.memories.push(Limits { min: m.initial, max: m.maximum.unwrap_or(u64::MAX) });
                }
            }
            Payload::GlobalSection(section) => self.info.shape.globals += section.count(),
            Payload::DataSection(section) => self.info.shape.data_segments = section.count(),
            Payload::ExportSection(section) => {
                for export in section {
                    self.export(&export?)?;
                }
            }
            Payload::StartSection { func, .. } => {
                self.info.shape.has_start = true;
                self.calls.add_root(func);
            }
            Payload::CustomSection(section) => self.custom(&section)?,
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: &Import) -> Result<()> {
        if self.info.imports.len() == MAX_ITEMS {
            return Err(too_many("imports"));
        }
        let (kind, limits, signature) = match import.ty {
            TypeRef::Func(t) | TypeRef::FuncExact(t) => {
                self.functions.push(t as usize);
                self.calls.add_import();
                (Extern::Func, NO_LIMITS, Some(t as usize))
            }
            TypeRef::Table(t) => {
                let limits = Limits { min: t.initial, max: t.maximum.unwrap_or(u64::MAX) };
                self.tables.push(limits);
                (Extern::Table, limits, None)
            }
            TypeRef::Memory(m) => {
                let limits = Limits { min: m.initial, max: m.maximum.unwrap_or(u64::MAX) };
                self.memories.push(limits);
                (Extern::Memory, limits, None)
            }
            TypeRef::Global(_) => {
                self.info.shape.globals += 1;
                (Extern::Global, NO_LIMITS, None)
            }
            TypeRef::Tag(_) => (Extern::Tag, NO_LIMITS, None),
        };
        let item = self.info.item(kind, import.module, import.name, limits, signature);
        self.info.imports.push(item);
        Ok(())
    }

    fn export(&mut self, export: &Export) -> Result<()> {
        if self.info.exports.len() == MAX_ITEMS {
            return Err(too_many("exports"));
        }
        let index = export.index as usize;
        let (kind, limits, signature) = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                self.calls.add_root(export.index);
                (Extern::Func, NO_LIMITS, self.functions.get(index).copied())
            }
            ExternalKind::Table => (Extern::Table, self.tables.get(index).copied().unwrap_or(NO_LIMITS), None),
            ExternalKind::Memory => (Extern::Memory, self.memories.get(index).copied().unwrap_or(NO_LIMITS), None),
            ExternalKind::Global => (Extern::Global, NO_LIMITS, None),
            ExternalKind::Tag => (Extern::Tag, NO_LIMITS, None),
        };
        let item = self.info.item(kind, "", export.name, limits, signature);
        self.info.exports.push(item);
        Ok(())
    }

    fn custom(&mut self, section: &CustomSectionReader) -> Result<()> {
        if self.info.customs.len() == MAX_ITEMS {
            return Err(too_many("custom sections"));
        }
        let (name, name_len) = self.info.keep(section.name().as_bytes());
        let (data, data_len) = self.info.keep(section.data());
        self.info.customs.push(QeWasmCustom { name: name.cast(), name_len, data, data_len });
        Ok(())
    }

    fn finish(mut self) -> QeWasmInfo {
        self.info.shape.tables = self.tables.len() as u32;
        (self.info.shape.is_bounded, self.info.shape.longest_path) = self.calls.longest_path();
        self.info
    }
}

/// The first mistakes that people make get a sentence of their own.
fn check_header(bytes: &[u8]) -> Result<()> {
    let refused = |message: &str| Err(Failure::new(QE_ESYNTAX, message));
    if !bytes.starts_with(b"\0asm") {
        return refused("not a wasm module: it does not begin with the bytes 00 61 73 6d");
    }
    if Parser::is_component(bytes) {
        return refused("a WebAssembly component, where a core module is needed");
    }
    Ok(())
}

fn inspect(bytes: &[u8]) -> Result<QeWasmInfo> {
    check_header(bytes)?;
    // WebAssembly 2.0 without references to the host's objects: Wasmtime is built without a collector for them.
    let mut validator = Validator::new_with_features(WasmFeatures::WASM2.difference(WasmFeatures::GC_TYPES));
    let mut inspector = Inspector::new();
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
            let mut function = function.into_validator(allocations);
            function.validate(&body)?;
            allocations = function.into_allocations();
            inspector.body(&body)?;
        }
        inspector.payload(payload)?;
    }
    Ok(inspector.finish())
}

impl Inspector {
    fn body(&mut self, body: &FunctionBody) -> Result<()> {
        self.calls.add_body(body)?;
        Ok(())
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_wasm_inspect(bytes: *const u8, len: usize, out: *mut *mut QeWasmInfo, err: *mut QeError) -> c_int {
    guard(err, || {
        let info = inspect(unsafe { ffi::slice(bytes, len) })?;
        unsafe { *out = Box::into_raw(Box::new(info)) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_wasm_info_free(info: *mut QeWasmInfo) {
    guard_or((), || {
        if !info.is_null() {
            drop(unsafe { Box::from_raw(info) });
        }
    });
}

/// Gives an array to C.
fn give<T>(values: &[T], out: *mut *const T) -> usize {
    if let Some(out) = unsafe { out.as_mut() } {
        *out = values.as_ptr();
    }
    values.len()
}

#[unsafe(no_mangle)]
extern "C" fn qe_wasm_imports(info: *const QeWasmInfo, items: *mut *const QeWasmItem) -> usize {
    guard_or(0, || give(unsafe { &(*info).imports }, items))
}

#[unsafe(no_mangle)]
extern "C" fn qe_wasm_exports(info: *const QeWasmInfo, items: *mut *const QeWasmItem) -> usize {
    guard_or(0, || give(unsafe { &(*info).exports }, items))
}

#[unsafe(no_mangle)]
extern "C" fn qe_wasm_customs(info: *const QeWasmInfo, customs: *mut *const QeWasmCustom) -> usize {
    guard_or(0, || give(unsafe { &(*info).customs }, customs))
}

#[unsafe(no_mangle)]
extern "C" fn qe_wasm_shape_of(info: *const QeWasmInfo) -> QeWasmShape {
    guard_or(QeWasmShape::default(), || unsafe { (*info).shape })
}
