// SPDX-License-Identifier: Apache-2.0
//! The stored part of a document: its id and its source, read past Tantivy's document type.

use std::ffi::{c_char, c_int, c_void};

use tantivy::DocAddress;
use tantivy::schema::document::{
    DeserializeError, DocumentDeserialize, DocumentDeserializer, ValueDeserialize, ValueDeserializer,
};

use crate::error::{Failure, QeError, Result, guard, guard_or};
use crate::schema;
use crate::searcher::QeSearcher;

#[derive(Default)]
struct Stored {
    id: Vec<u8>,
    source: Vec<u8>,
}

struct Bytes(Vec<u8>);

impl ValueDeserialize for Bytes {
    fn deserialize<'de, D: ValueDeserializer<'de>>(deserializer: D) -> std::result::Result<Bytes, DeserializeError> {
        deserializer.deserialize_bytes().map(Bytes)
    }
}

impl DocumentDeserialize for Stored {
    fn deserialize<'de, D: DocumentDeserializer<'de>>(
        mut deserializer: D,
    ) -> std::result::Result<Stored, DeserializeError> {
        let mut stored = Stored::default();
        while let Some((field, Bytes(bytes))) = deserializer.next_field::<Bytes>()? {
            if field == schema::ID {
                stored.id = bytes;
            } else if field == schema::SOURCE {
                stored.source = bytes;
            }
        }
        Ok(stored)
    }
}

/// `qe_stored` of engine.h.
#[repr(C)]
pub struct QeStored {
    id: *const c_char,
    source: *const c_char,
    id_len: usize,
    source_len: usize,
    owner: *mut c_void,
}

fn read(s: &QeSearcher, segment: usize, doc: u32) -> Result<Stored> {
    let max_doc = s.reader(segment)?.max_doc();
    if doc >= max_doc {
        return Err(Failure::invalid(format!("document {doc}: segment {segment} has only {max_doc}")));
    }
    Ok(s.searcher.doc::<Stored>(DocAddress::new(s.tantivy_ord(segment)?, doc))?)
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_segment_stored(
    s: *const QeSearcher,
    segment: usize,
    doc: u32,
    out: *mut QeStored,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let stored = Box::new(read(unsafe { &*s }, segment, doc)?);
        let view = QeStored {
            id: stored.id.as_ptr().cast(),
            source: stored.source.as_ptr().cast(),
            id_len: stored.id.len(),
            source_len: stored.source.len(),
            owner: Box::into_raw(stored).cast(),
        };
        unsafe { *out = view };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_stored_free(stored: *mut QeStored) {
    guard_or((), || {
        let Some(stored) = (unsafe { stored.as_mut() }) else {
            return;
        };
        if !stored.owner.is_null() {
            drop(unsafe { Box::from_raw(stored.owner.cast::<Stored>()) });
        }
        *stored = QeStored {
            id: std::ptr::null(),
            source: std::ptr::null(),
            id_len: 0,
            source_len: 0,
            owner: std::ptr::null_mut(),
        };
    });
}
