// SPDX-License-Identifier: Apache-2.0
//! Columns unpacked into memory: the first value of each document at the place of its number.
//!
//! Reading a bit-packed column costs 3 to 4 ns a value, one with gaps more; an array less than 1. Functions and sorts
//! read the same few columns over and over, so a column of which a good part has been read is unpacked once per segment
//! and kept for as long as the segment is in use, within a limit per index.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tantivy::index::{SegmentId, SegmentReader};
use tantivy::{DocId, Searcher};

/// For all columns of an index together.
const MAX_BYTES: usize = 128 << 20;

/// Bits of i64 or of f64, as the column has it.
pub struct Decoded {
    pub bits: Box<[u64]>,
    /// 1 where there is a value; `None` when there is one everywhere.
    pub valid: Option<Box<[u8]>>,
}

impl Decoded {
    /// From `fill`, which is given the documents and writes bits and validity, and returns whether all are valid.
    pub fn new(max_doc: u32, fill: impl FnOnce(&[DocId], &mut [u64], &mut [u8]) -> bool) -> Decoded {
        let docs: Vec<DocId> = (0..max_doc).collect();
        let mut bits = vec![0; docs.len()].into_boxed_slice();
        let mut valid = vec![0; docs.len()].into_boxed_slice();
        let is_full = fill(&docs, &mut bits, &mut valid);
        Decoded { bits, valid: (!is_full).then_some(valid) }
    }

    fn bytes(&self) -> usize {
        self.bits.len() * size_of::<u64>() + self.valid.as_ref().map_or(0, |v| v.len())
    }
}

pub type Key = (SegmentId, u32);

#[derive(Default)]
pub struct DecodedColumns(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    columns: HashMap<Key, Arc<Decoded>>,
    bytes: usize,
}

impl DecodedColumns {
    pub fn get(&self, key: &Key) -> Option<Arc<Decoded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).columns.get(key).cloned()
    }

    /// Whether another column of so many documents may be kept.
    pub fn has_room(&self, max_doc: u32) -> bool {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes;
        bytes + max_doc as usize * (size_of::<u64>() + 1) <= MAX_BYTES
    }

    pub fn keep(&self, key: Key, column: &Arc<Decoded>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.columns.insert(key, Arc::clone(column)).is_none() {
            kept.bytes += column.bytes();
        }
    }

    /// Forgets the segments that are no longer in use.
    pub fn retain_segments(&self, searcher: &Searcher) {
        let live: HashSet<SegmentId> = searcher.segment_readers().iter().map(SegmentReader::segment_id).collect();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.columns.retain(|(segment, _), _| live.contains(segment));
        kept.bytes = kept.columns.values().map(|column| column.bytes()).sum();
    }
}
