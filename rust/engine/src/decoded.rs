// SPDX-License-Identifier: Apache-2.0
//! Columns unpacked into memory: the first value of each document at the place of its number, and of string columns
//! all strings at the places of their ordinals.
//!
//! Reading a bit-packed column costs 3 to 4 ns a value, one with gaps more; an array less than 1. A string costs some
//! 15 us, because a block of the dictionary is decompressed for it. Functions and sorts read the same few columns over
//! and over, so a column of which a good part has been read is unpacked once per segment and kept for as long as the
//! segment is in use, within a limit per index. What is over the limit is read as it lies in the files.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tantivy::columnar::StrColumn;
use tantivy::index::{SegmentId, SegmentReader};
use tantivy::{DocId, Searcher};

/// For all columns of an index together.
const MAX_BYTES: usize = 128 << 20;

/// Bytes of the limit, which go back to it when this is dropped.
struct Claim {
    taken: Arc<AtomicUsize>,
    bytes: usize,
}

impl Claim {
    fn new(taken: &Arc<AtomicUsize>, bytes: usize) -> Option<Claim> {
        let mut claim = Claim { taken: Arc::clone(taken), bytes: 0 };
        claim.resize(bytes).then_some(claim)
    }

    /// False, and nothing has changed, when the limit is in the way.
    fn resize(&mut self, bytes: usize) -> bool {
        let others_and = |taken: usize| taken - self.bytes + bytes;
        let is_within = |taken: usize| bytes <= self.bytes || others_and(taken) <= MAX_BYTES;
        let change = |taken| is_within(taken).then(|| others_and(taken));
        let is_done = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok();
        if is_done {
            self.bytes = bytes;
        }
        is_done
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

pub enum Values {
    /// Bits of i64 or of f64, as the column has it.
    Bits(Box<[u64]>),
    /// Tantivy numbers the strings of a segment with 32 bits.
    Ords(Box<[u32]>),
}

/// Integers that can be made doubles by adding bits; see `Slot::from_narrow`.
pub const NARROW: std::ops::Range<i64> = -(1 << 51)..1 << 51;

pub struct Decoded {
    pub values: Values,
    /// 1 where there is a value; `None` when there is one everywhere.
    pub valid: Option<Box<[u8]>>,
    /// All of them are within `NARROW` as integers.
    pub is_narrow: bool,
    _claim: Claim,
}

impl Decoded {
    /// From `fill`, which is given the documents and writes values and validity, and returns whether all are valid.
    fn new<T: Default + Clone>(
        shared: &DecodedColumns,
        max_doc: u32,
        wrap: impl FnOnce(Box<[T]>) -> Values,
        fill: impl FnOnce(&[DocId], &mut [T], &mut [u8]) -> bool,
    ) -> Option<Decoded> {
        let n = max_doc as usize;
        let mut claim = Claim::new(&shared.taken, n * (size_of::<T>() + 1))?;
        let docs: Vec<DocId> = (0..max_doc).collect();
        let mut values = vec![T::default(); n].into_boxed_slice();
        let mut valid = vec![0; n].into_boxed_slice();
        let is_full = fill(&docs, &mut values, &mut valid);
        if is_full {
            claim.resize(n * size_of::<T>());
        }
        let values = wrap(values);
        let is_narrow = match &values {
            Values::Bits(bits) => bits.iter().all(|bits| NARROW.contains(&(*bits as i64))),
            Values::Ords(_) => true,
        };
        Some(Decoded { values, valid: (!is_full).then_some(valid), is_narrow, _claim: claim })
    }

    pub fn of_bits(
        shared: &DecodedColumns,
        max_doc: u32,
        fill: impl FnOnce(&[DocId], &mut [u64], &mut [u8]) -> bool,
    ) -> Option<Decoded> {
        Decoded::new(shared, max_doc, Values::Bits, fill)
    }

    pub fn of_ords(
        shared: &DecodedColumns,
        max_doc: u32,
        fill: impl FnOnce(&[DocId], &mut [u32], &mut [u8]) -> bool,
    ) -> Option<Decoded> {
        Decoded::new(shared, max_doc, Values::Ords, fill)
    }
}

/// All strings of a column: that of ordinal `i` is `bytes[starts[i]..starts[i + 1]]`, and UTF-8.
pub struct Strings {
    pub bytes: Box<[u8]>,
    pub starts: Box<[u32]>,
    _claim: Claim,
}

impl Strings {
    /// `None` when they are too many for the limit or cannot be read, which reading them one by one will tell.
    pub fn new(shared: &DecodedColumns, column: &StrColumn) -> Option<Strings> {
        const FIRST_BYTES: usize = 4096;
        let n = column.num_terms();
        let starts_bytes = (n + 1) * size_of::<u32>();
        let mut claim = Claim::new(&shared.taken, starts_bytes)?;
        let mut starts: Vec<u32> = Vec::with_capacity(n + 1);
        let mut bytes: Vec<u8> = Vec::new();
        let mut strings = column.dictionary().stream().ok()?;
        starts.push(0);
        while strings.advance() && starts.len() <= n {
            let text = str::from_utf8(strings.key()).ok()?;
            if bytes.len() + text.len() > bytes.capacity() {
                let more = text.len().max(bytes.len() / 2).max(FIRST_BYTES);
                if !claim.resize(starts_bytes + bytes.len() + more) {
                    return None;
                }
                bytes.reserve_exact(more);
            }
            bytes.extend_from_slice(text.as_bytes());
            starts.push(u32::try_from(bytes.len()).ok()?);
        }
        if starts.len() != n + 1 {
            return None;
        }
        claim.resize(starts_bytes + bytes.len());
        Some(Strings { bytes: bytes.into_boxed_slice(), starts: starts.into_boxed_slice(), _claim: claim })
    }

    pub fn get(&self, ord: u64) -> Option<&[u8]> {
        let ord = usize::try_from(ord).ok()?;
        let (start, end) = (*self.starts.get(ord)?, *self.starts.get(ord.checked_add(1)?)?);
        self.bytes.get(start as usize..end as usize)
    }
}

/// Something that is made once enough of it has been asked for.
pub struct Lazy<T> {
    made: OnceLock<T>,
    asked: AtomicUsize,
    is_busy: AtomicBool,
}

impl<T> Default for Lazy<T> {
    fn default() -> Lazy<T> {
        Lazy { made: OnceLock::new(), asked: AtomicUsize::new(0), is_busy: AtomicBool::new(false) }
    }
}

impl<T> Lazy<T> {
    /// Counts `wanted` values as asked for; makes it when they have become `enough`. `None`: do without, since it is
    /// not worth it yet, another thread is making it, or `make` has failed (by a panic: for good; else it is tried
    /// again after as many values more).
    pub fn get(&self, wanted: usize, enough: usize, make: impl FnOnce() -> Option<T>) -> Option<&T> {
        if let Some(made) = self.made.get() {
            return Some(made);
        }
        let asked = self.asked.fetch_add(wanted, Ordering::Relaxed).saturating_add(wanted);
        if asked < enough || self.is_busy.swap(true, Ordering::Acquire) {
            return None;
        }
        if self.made.get().is_none() {
            match make() {
                Some(made) => _ = self.made.set(made),
                None => self.asked.store(0, Ordering::Relaxed),
            }
        }
        self.is_busy.store(false, Ordering::Release);
        self.made.get()
    }
}

/// What is in memory of one column, for all its handles.
#[derive(Default)]
pub struct DecodedColumn {
    pub values: Lazy<Decoded>,
    pub strings: Lazy<Strings>,
}

pub type Key = (SegmentId, u32);

#[derive(Default)]
pub struct DecodedColumns {
    columns: Mutex<HashMap<Key, Arc<DecodedColumn>>>,
    taken: Arc<AtomicUsize>,
}

impl DecodedColumns {
    pub fn column(&self, key: Key) -> Arc<DecodedColumn> {
        let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(columns.entry(key).or_default())
    }

    /// Forgets the segments that are no longer in use.
    pub fn retain_segments(&self, searcher: &Searcher) {
        let live: HashSet<SegmentId> = searcher.segment_readers().iter().map(SegmentReader::segment_id).collect();
        let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        columns.retain(|(segment, _), _| live.contains(segment));
    }
}
