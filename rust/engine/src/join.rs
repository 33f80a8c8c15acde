// SPDX-License-Identifier: Apache-2.0
//! Core modules joined into one, as linkers do it before anything is compiled: what one part imports of another by its
//! name becomes a call, or a memory, of the same module. Then the code generator can inline across them.
//!
//! Each part must be valid by itself ([`crate::inspect`]): only indices are renumbered here, so nothing of one part can
//! come to mean something of another that the part did not import.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::{c_char, c_int};

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ElementSection, ExportKind, ExportSection, FunctionSection,
    GlobalSection, ImportSection, MemorySection, Module, NameMap, NameSection, StartSection, TableSection, TypeSection,
};
use wasmparser::{
    CompositeInnerType, ExternalKind, FuncType, FunctionBody, KnownCustom, Name, Parser, Payload, TypeRef,
};

use crate::compile::QeCode;
use crate::error::{Failure, QeError, Result, guard};
use crate::ffi;
use crate::join::map::Map;

mod inline;
mod map;

type Reencoded<T> = std::result::Result<T, Error<Infallible>>;

impl From<Error<Infallible>> for Failure {
    fn from(error: Error<Infallible>) -> Failure {
        Failure::invalid(format!("the modules cannot be joined: {error}"))
    }
}

/// The index spaces that imports and definitions share.
const KINDS: usize = 4;

fn space_of(kind: ExternalKind) -> Result<usize> {
    match kind {
        ExternalKind::Func => Ok(0),
        ExternalKind::Table => Ok(1),
        ExternalKind::Memory => Ok(2),
        ExternalKind::Global => Ok(3),
        _ => Err(Failure::invalid("the modules cannot be joined: a kind of import or export that is not known")),
    }
}

struct ImportOf<'a> {
    space: usize,
    module: &'a str,
    name: &'a str,
    ty: TypeRef,
}

struct ExportOf<'a> {
    kind: ExternalKind,
    name: &'a str,
    index: u32,
}

/// A part as read, and where each of its indices goes.
struct Part<'a> {
    name: &'a str,
    payloads: Vec<Payload<'a>>,
    imports: Vec<ImportOf<'a>>,
    exports: Vec<ExportOf<'a>>,
    defined: [u32; KINDS],
    /// `None`: not of a function.
    types: Vec<Option<FuncType>>,
    /// By function, imports first.
    function_types: Vec<u32>,
    bodies: Vec<FunctionBody<'a>>,
    segments: [u32; 2],
    /// By space; `None` while an import that another part answers has not been looked up.
    indices: [Vec<Option<u32>>; KINDS],
    /// What comes before the part's own types, data and element segments.
    first: [u32; 3],
}

impl<'a> Part<'a> {
    fn read(name: &'a str, bytes: &'a [u8]) -> Result<Part<'a>> {
        let mut part = Part {
            name,
            payloads: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            defined: [0; KINDS],
            types: Vec::new(),
            function_types: Vec::new(),
            bodies: Vec::new(),
            segments: [0; 2],
            indices: Default::default(),
            first: [0; 3],
        };
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            part.note(&payload)?;
            part.payloads.push(payload);
        }
        Ok(part)
    }

    fn note(&mut self, payload: &Payload<'a>) -> Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section.clone() {
                    self.types.extend(group?.types().map(|t| match &t.composite_type.inner {
                        CompositeInnerType::Func(f) => Some(f.clone()),
                        _ => None,
                    }));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import?;
                    let space = match import.ty {
                        TypeRef::Func(_) => 0,
                        TypeRef::Table(_) => 1,
                        TypeRef::Memory(_) => 2,
                        TypeRef::Global(_) => 3,
                        _ => return Err(Failure::invalid("the modules cannot be joined: an import of a kind unknown")),
                    };
                    if let TypeRef::Func(t) = import.ty {
                        self.function_types.push(t);
                    }
                    self.imports.push(ImportOf { space, module: import.module, name: import.name, ty: import.ty });
                }
            }
            Payload::FunctionSection(section) => {
                self.defined[0] += section.count();
                for t in section.clone() {
                    self.function_types.push(t?);
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body.clone()),
            Payload::TableSection(section) => self.defined[1] += section.count(),
            Payload::MemorySection(section) => self.defined[2] += section.count(),
            Payload::GlobalSection(section) => self.defined[3] += section.count(),
            Payload::DataSection(section) => self.segments[0] += section.count(),
            Payload::ElementSection(section) => self.segments[1] += section.count(),
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    self.exports.push(ExportOf { kind: export.kind, name: export.name, index: export.index });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn index(&self, space: usize, index: u32) -> Reencoded<u32> {
        // Valid modules name nothing that is not there.
        Ok(self.indices[space].get(index as usize).copied().flatten().unwrap_or(u32::MAX))
    }
}

impl Reencode for Part<'_> {
    type Error = Infallible;

    fn type_index(&mut self, index: u32) -> Reencoded<u32> {
        Ok(self.first[0] + index)
    }

    fn data_index(&mut self, index: u32) -> Reencoded<u32> {
        Ok(self.first[1] + index)
    }

    fn element_index(&mut self, index: u32) -> Reencoded<u32> {
        Ok(self.first[2] + index)
    }

    fn function_index(&mut self, index: u32) -> Reencoded<u32> {
        self.index(0, index)
    }

    fn table_index(&mut self, index: u32) -> Reencoded<u32> {
        self.index(1, index)
    }

    fn memory_index(&mut self, index: u32) -> Reencoded<u32> {
        self.index(2, index)
    }

    fn global_index(&mut self, index: u32) -> Reencoded<u32> {
        self.index(3, index)
    }
}

/// Which part, and which of its exports, answers an import.
type Answers = HashMap<(usize, usize), (usize, usize)>;

fn find_answers(parts: &[Part]) -> Answers {
    let mut exports = HashMap::new();
    for (p, part) in parts.iter().enumerate() {
        for (e, export) in part.exports.iter().enumerate() {
            exports.insert((part.name, export.name), (p, e));
        }
    }
    let mut answers = Answers::new();
    for (p, part) in parts.iter().enumerate() {
        for (i, import) in part.imports.iter().enumerate() {
            if let Some(&(of, e)) = exports.get(&(import.module, import.name))
                && of != p
            {
                answers.insert((p, i), (of, e));
            }
        }
    }
    answers
}

/// Numbers everything anew: the imports that stay, then what the parts define, one after the other.
fn number(parts: &mut [Part], answers: &Answers) -> Result<()> {
    let mut next = [0u32; KINDS];
    for (p, part) in parts.iter_mut().enumerate() {
        for (i, import) in part.imports.iter().enumerate() {
            let stays = !answers.contains_key(&(p, i));
            part.indices[import.space].push(stays.then_some(next[import.space]));
            next[import.space] += u32::from(stays);
        }
    }
    let mut first = [0u32; 3];
    for part in parts.iter_mut() {
        for (space, next) in next.iter_mut().enumerate() {
            part.indices[space].extend((*next..*next + part.defined[space]).map(Some));
            *next += part.defined[space];
        }
        part.first = first;
        first[0] += part.types.len() as u32;
        first[1] += part.segments[0];
        first[2] += part.segments[1];
    }
    for p in 0..parts.len() {
        let mut at = [0usize; KINDS];
        for i in 0..parts[p].imports.len() {
            let space = parts[p].imports[i].space;
            if let Some(&(of, e)) = answers.get(&(p, i)) {
                let export = &parts[of].exports[e];
                let index = parts[of].indices[space].get(export.index as usize).copied().flatten();
                if space_of(export.kind)? != space || index.is_none() {
                    return Err(Failure::invalid(format!(
                        "the modules cannot be joined: '{}' of '{}' is not what is imported of it",
                        export.name, parts[of].name
                    )));
                }
                parts[p].indices[space][at[space]] = index;
            }
            at[space] += 1;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Sections {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    exports: ExportSection,
    start: Option<u32>,
    elements: ElementSection,
    n_data: Option<u32>,
    code: CodeSection,
    data: DataSection,
    names: Vec<(u32, String)>,
}

impl Sections {
    fn add(&mut self, part: &mut Part, payload: &Payload) -> Result<()> {
        match payload {
            Payload::TypeSection(section) => utils::parse_type_section(part, &mut self.types, section.clone())?,
            Payload::FunctionSection(section) => {
                utils::parse_function_section(part, &mut self.functions, section.clone())?
            }
            Payload::TableSection(section) => utils::parse_table_section(part, &mut self.tables, section.clone())?,
            Payload::MemorySection(section) => utils::parse_memory_section(part, &mut self.memories, section.clone())?,
            Payload::GlobalSection(section) => utils::parse_global_section(part, &mut self.globals, section.clone())?,
            Payload::StartSection { func, .. } => {
                let start = part.function_index(*func)?;
                if self.start.replace(start).is_some() {
                    return Err(Failure::invalid("the modules cannot be joined: two of them have a start function"));
                }
            }
            Payload::ElementSection(section) => {
                utils::parse_element_section(part, &mut self.elements, section.clone())?
            }
            Payload::DataCountSection { count, .. } => *self.n_data.get_or_insert(0) += *count,
            Payload::DataSection(section) => utils::parse_data_section(part, &mut self.data, section.clone())?,
            _ => {}
        }
        Ok(())
    }

    fn add_imports(&mut self, parts: &mut [Part], answers: &Answers) -> Result<()> {
        for (p, part) in parts.iter_mut().enumerate() {
            for i in 0..part.imports.len() {
                if !answers.contains_key(&(p, i)) {
                    let ty = part.imports[i].ty;
                    let ty = part.entity_type(ty)?;
                    self.imports.import(part.imports[i].module, part.imports[i].name, ty);
                }
            }
        }
        Ok(())
    }

    fn add_exports(&mut self, parts: &[Part], answers: &Answers) -> Result<()> {
        let mut taken = std::collections::HashSet::new();
        for (p, part) in parts.iter().enumerate() {
            for (e, export) in part.exports.iter().enumerate() {
                let name = match p {
                    0 => export.name.to_string(),
                    _ if answers.values().any(|answer| *answer == (p, e)) => continue,
                    _ => format!("{}:{}", part.name, export.name),
                };
                let space = space_of(export.kind)?;
                let kind = [ExportKind::Func, ExportKind::Table, ExportKind::Memory, ExportKind::Global][space];
                self.exports.export(&name, kind, part.index(space, export.index)?);
                if !taken.insert(name) {
                    return Err(Failure::invalid(format!(
                        "the modules cannot be joined: the first exports what '{}' exports",
                        part.name
                    )));
                }
            }
        }
        Ok(())
    }

    /// Functions keep their names for backtraces. Those of another part go by what they call of the first, which may
    /// have been inlined, or else by their part's name.
    fn add_names(&mut self, parts: &[Part], answers: &Answers) {
        for (p, part) in parts.iter().enumerate() {
            if p > 0 {
                let mut callees = answers.iter().filter(|(import, answer)| import.0 == p && answer.0 == 0);
                let callee =
                    callees.next().and_then(|(_, &(of, e))| parts[of].indices[0][parts[of].exports[e].index as usize]);
                let named = self.names.iter().find(|(index, _)| Some(*index) == callee).map(|(_, name)| name.clone());
                let name = named.unwrap_or_else(|| part.name.to_string());
                let defined = part.indices[0].iter().rev().take(part.defined[0] as usize).flatten();
                self.names.extend(defined.map(|index| (*index, name.clone())));
                continue;
            }
            for payload in &part.payloads {
                let Payload::CustomSection(section) = payload else { continue };
                let KnownCustom::Name(subsections) = section.as_known() else { continue };
                // Nobody validates names: what cannot be read is left out.
                for naming in subsections.into_iter().flatten().filter_map(|s| match s {
                    Name::Function(map) => Some(map),
                    _ => None,
                }) {
                    for naming in naming.into_iter().flatten() {
                        if let Some(Some(index)) = part.indices[0].get(naming.index as usize) {
                            self.names.push((*index, naming.name.to_string()));
                        }
                    }
                }
            }
        }
        self.names.sort_by_key(|(index, _)| *index);
        self.names.dedup_by_key(|(index, _)| *index);
    }

    fn finish(self, map: Option<&mut Map>) -> Vec<u8> {
        let mut module = Module::new();
        module.section(&self.types);
        module.section(&self.imports);
        module.section(&self.functions);
        module.section(&self.tables);
        module.section(&self.memories);
        module.section(&self.globals);
        module.section(&self.exports);
        if let Some(function_index) = self.start {
            module.section(&StartSection { function_index });
        }
        module.section(&self.elements);
        if self.n_data.is_some() {
            module.section(&DataCountSection { count: self.data.len() });
        }
        module.section(&self.code);
        if let Some(map) = map {
            map.move_by(module.len() - self.code.byte_len());
        }
        module.section(&self.data);
        let (mut names, mut functions) = (NameSection::new(), NameMap::new());
        for (index, name) in &self.names {
            functions.append(*index, name);
        }
        names.functions(&functions);
        module.section(&names);
        module.finish()
    }
}

fn join(named: &[(&str, &[u8])], mut map: Option<&mut Map>) -> Result<Vec<u8>> {
    let mut parts = named.iter().map(|(name, bytes)| Part::read(name, bytes)).collect::<Result<Vec<_>>>()?;
    let answers = find_answers(&parts);
    number(&mut parts, &answers)?;
    let mut sections = Sections::default();
    sections.add_imports(&mut parts, &answers)?;
    sections.add_exports(&parts, &answers)?;
    for part in &mut parts {
        let payloads = std::mem::take(&mut part.payloads);
        for payload in &payloads {
            sections.add(part, payload)?;
        }
        part.payloads = payloads;
    }
    inline::add_code(&mut parts, &answers, &mut sections.code, map.as_deref_mut())?;
    sections.add_names(&parts, &answers);
    Ok(sections.finish(map))
}

/// `qe_wasm_part` of engine.h.
#[repr(C)]
pub struct QeWasmPart {
    name: *const c_char,
    name_len: usize,
    bytes: *const u8,
    len: usize,
}

fn named<'a>(parts: &[QeWasmPart]) -> Result<Vec<(&'a str, &'a [u8])>> {
    let part = |part: &QeWasmPart| unsafe {
        Ok((ffi::text(part.name, part.name_len, "a part's name")?, ffi::slice(part.bytes, part.len)))
    };
    parts.iter().map(part).collect()
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_wasm_join(parts: *const QeWasmPart, n: usize, out: *mut *mut QeCode, err: *mut QeError) -> c_int {
    guard(err, || {
        let bytes = join(&named(unsafe { ffi::slice(parts, n) })?, None)?;
        unsafe { *out = QeCode::into_handle(bytes) };
        Ok(())
    })
}
