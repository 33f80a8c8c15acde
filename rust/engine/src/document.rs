// SPDX-License-Identifier: Apache-2.0
//! Documents under construction.
//!
//! What a document may hold depends on the index that it goes to, which only `qe_index_add` knows; a wrong value would
//! stop Tantivy's indexing thread. So each value is noted beside the document and checked before it is handed over.

use std::ffi::c_char;

use tantivy::TantivyDocument;

use crate::error::{Failure, Result, guard_or};
use crate::ffi;
use crate::schema::{self, FieldInfo, Kind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Str,
    I64,
    F64,
    Bool,
    NotUtf8,
}

impl Value {
    fn fits(self, kind: Kind) -> bool {
        match kind {
            Kind::Text | Kind::Keyword => self == Value::Str,
            Kind::I64 | Kind::Date => self == Value::I64,
            Kind::F64 => self == Value::F64,
            Kind::Bool => self == Value::Bool,
        }
    }
}

#[derive(Default)]
pub struct QeDoc {
    doc: TantivyDocument,
    values: Vec<(u32, Value)>,
}

impl QeDoc {
    /// The Tantivy document, once every value is known to fit its field.
    pub fn into_checked(self, fields: &[FieldInfo]) -> Result<TantivyDocument> {
        for (id, value) in &self.values {
            let field = fields.get(*id as usize).ok_or_else(|| {
                Failure::invalid(format!("field id {id}: the index has only {} fields", fields.len()))
            })?;
            if *value == Value::NotUtf8 {
                return Err(Failure::invalid(format!("field '{}': a value is not UTF-8", field.path)));
            }
            if !value.fits(field.kind) {
                return Err(Failure::invalid(format!(
                    "field '{}' of kind {:?} got a value of kind {value:?}",
                    field.path, field.kind
                )));
            }
        }
        Ok(self.doc)
    }
}

fn with_doc(doc: *mut QeDoc, body: impl FnOnce(&mut QeDoc)) {
    guard_or((), || {
        if let Some(doc) = unsafe { doc.as_mut() } {
            body(doc);
        }
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_doc_new() -> *mut QeDoc {
    guard_or(std::ptr::null_mut(), || Box::into_raw(Box::default()))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_doc_free(doc: *mut QeDoc) {
    guard_or((), || {
        if !doc.is_null() {
            drop(unsafe { Box::from_raw(doc) });
        }
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_doc_add_str(doc: *mut QeDoc, field: u32, p: *const c_char, n: usize) {
    with_doc(doc, |doc| match unsafe { ffi::text(p, n, "value") } {
        Ok(text) => {
            doc.values.push((field, Value::Str));
            doc.doc.add_text(schema::tantivy_field(field), text);
        }
        Err(_) => doc.values.push((field, Value::NotUtf8)),
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_doc_add_i64(doc: *mut QeDoc, field: u32, v: i64) {
    with_doc(doc, |doc| {
        doc.values.push((field, Value::I64));
        doc.doc.add_i64(schema::tantivy_field(field), v);
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_doc_add_f64(doc: *mut QeDoc, field: u32, v: f64) {
    with_doc(doc, |doc| {
        doc.values.push((field, Value::F64));
        doc.doc.add_f64(schema::tantivy_field(field), v);
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_doc_add_bool(doc: *mut QeDoc, field: u32, v: bool) {
    with_doc(doc, |doc| {
        doc.values.push((field, Value::Bool));
        doc.doc.add_bool(schema::tantivy_field(field), v);
    });
}
