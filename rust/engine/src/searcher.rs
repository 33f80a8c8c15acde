// SPDX-License-Identifier: Apache-2.0
//! Snapshots of the last commit: segments in the order of `_seq_no`, ids, sizes.

use std::collections::HashMap;
use std::ffi::{c_char, c_int};
use std::sync::{Arc, OnceLock};

use tantivy::columnar::Column;
use tantivy::index::{SegmentId, SegmentReader};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Searcher, TERMINATED, Term};

use crate::bm25::FieldStats;
use crate::decoded::DecodedColumns;
use crate::error::{Failure, QeError, Result, guard, guard_or};
use crate::ffi;
use crate::index::QeIndex;
use crate::schema::{self, FieldInfo};

pub struct QeSearcher {
    pub searcher: Searcher,
    /// Our segment ordinals, which follow `_seq_no`, to Tantivy's.
    order: Vec<u32>,
    ordinals: HashMap<SegmentId, usize>,
    pub fields: Arc<Vec<FieldInfo>>,
    pub stats: Arc<FieldStats>,
    pub decoded: Arc<DecodedColumns>,
    /// `_seq_no` and `_version` of each segment, opened when first asked for.
    own_columns: Vec<OnceLock<OwnColumns>>,
}

pub struct OwnColumns {
    pub seq_no: Column<i64>,
    pub version: Column<i64>,
}

impl QeSearcher {
    fn open(index: &QeIndex) -> Result<QeSearcher> {
        let (searcher, fields) = index.snapshot()?;
        let mut order = Vec::new();
        for (ord, reader) in searcher.segment_readers().iter().enumerate() {
            order.push((index.seq_nos.of_reader(reader)?, ord as u32));
        }
        order.sort_unstable();
        let order: Vec<u32> = order.into_iter().map(|o| o.1).collect();
        let ordinals =
            order.iter().enumerate().map(|(i, ord)| (searcher.segment_reader(*ord).segment_id(), i)).collect();
        let own_columns = order.iter().map(|_| OnceLock::new()).collect();
        index.stats.retain_segments(&searcher);
        index.decoded.retain_segments(&searcher);
        Ok(QeSearcher {
            searcher,
            order,
            ordinals,
            fields,
            stats: Arc::clone(&index.stats),
            decoded: Arc::clone(&index.decoded),
            own_columns,
        })
    }

    pub fn segments(&self) -> usize {
        self.order.len()
    }

    pub fn reader(&self, segment: usize) -> Result<&SegmentReader> {
        Ok(self.searcher.segment_reader(self.tantivy_ord(segment)?))
    }

    pub fn tantivy_ord(&self, segment: usize) -> Result<u32> {
        self.order
            .get(segment)
            .copied()
            .ok_or_else(|| Failure::invalid(format!("segment {segment}: the searcher has only {}", self.order.len())))
    }

    pub fn segment_of(&self, reader: &SegmentReader) -> Option<usize> {
        self.ordinals.get(&reader.segment_id()).copied()
    }

    pub fn field(&self, id: u32) -> Option<&FieldInfo> {
        self.fields.get(id as usize)
    }

    pub fn own_columns(&self, segment: usize) -> Result<&OwnColumns> {
        let reader = self.reader(segment)?;
        if let Some(columns) = self.own_columns[segment].get() {
            return Ok(columns);
        }
        let open = |name: &str| -> Result<Column<i64>> {
            let column = reader.fast_fields().column_opt::<i64>(name)?;
            column.ok_or_else(|| {
                Failure::corrupt(format!("segment {} has no column {name}", reader.segment_id().uuid_string()))
            })
        };
        let columns = OwnColumns { seq_no: open(schema::SEQ_NO)?, version: open(schema::VERSION)? };
        Ok(self.own_columns[segment].get_or_init(|| columns))
    }

    /// The live document with this id; the newest segment has the newest documents.
    fn find_id(&self, id: &[u8]) -> Result<Option<(usize, DocId)>> {
        let term = Term::from_field_bytes(schema::ID, id);
        for segment in (0..self.segments()).rev() {
            let reader = self.reader(segment)?;
            let postings = reader.inverted_index(schema::ID)?.read_postings(&term, IndexRecordOption::Basic)?;
            let Some(mut postings) = postings else {
                continue;
            };
            let mut doc = postings.doc();
            while doc != TERMINATED {
                if !reader.is_deleted(doc) {
                    return Ok(Some((segment, doc)));
                }
                doc = postings.advance();
            }
        }
        Ok(None)
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_searcher_new(index: *mut QeIndex, out: *mut *mut QeSearcher, err: *mut QeError) -> c_int {
    guard(err, || {
        let searcher = QeSearcher::open(unsafe { &*index })?;
        unsafe { *out = Box::into_raw(Box::new(searcher)) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_searcher_free(s: *mut QeSearcher) {
    guard_or((), || {
        if !s.is_null() {
            drop(unsafe { Box::from_raw(s) });
        }
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_searcher_segments(s: *const QeSearcher) -> usize {
    guard_or(0, || unsafe { &*s }.segments())
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_searcher_live_docs(s: *const QeSearcher) -> u64 {
    guard_or(0, || unsafe { &*s }.searcher.num_docs())
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_segment_max_doc(s: *const QeSearcher, segment: usize) -> u32 {
    guard_or(0, || unsafe { &*s }.reader(segment).map_or(0, SegmentReader::max_doc))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_segment_live_docs(s: *const QeSearcher, segment: usize) -> u32 {
    guard_or(0, || unsafe { &*s }.reader(segment).map_or(0, SegmentReader::num_docs))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_searcher_size_bytes(s: *const QeSearcher) -> u64 {
    guard_or(0, || unsafe { &*s }.searcher.space_usage().map_or(0, |usage| usage.total().get_bytes()))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_searcher_find_id(
    s: *const QeSearcher,
    id: *const c_char,
    id_len: usize,
    found: *mut bool,
    segment: *mut usize,
    doc: *mut u32,
    seq_no: *mut i64,
    version: *mut i64,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let s = unsafe { &*s };
        let place = s.find_id(unsafe { ffi::bytes(id, id_len) })?;
        let Some((at_segment, at_doc)) = place else {
            unsafe { *found = false };
            return Ok(());
        };
        let columns = s.own_columns(at_segment)?;
        let missing =
            || Failure::corrupt(format!("document {at_doc} of segment {at_segment} has no _seq_no or _version"));
        let at_seq_no = columns.seq_no.first(at_doc).ok_or_else(missing)?;
        let at_version = columns.version.first(at_doc).ok_or_else(missing)?;
        unsafe {
            *found = true;
            write_if_wanted(segment, at_segment);
            write_if_wanted(doc, at_doc);
            write_if_wanted(seq_no, at_seq_no);
            write_if_wanted(version, at_version);
        }
        Ok(())
    })
}

unsafe fn write_if_wanted<T>(to: *mut T, value: T) {
    if !to.is_null() {
        unsafe { to.write(value) };
    }
}
