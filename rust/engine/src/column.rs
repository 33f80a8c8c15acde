// SPDX-License-Identifier: Apache-2.0
//! Reading columns, a block of documents at a time.

use std::ffi::{c_char, c_int};
use std::sync::Arc;

use tantivy::DocId;
use tantivy::columnar::{Column, ColumnIndex, StrColumn};

use crate::decoded::{self, Decoded, DecodedColumn, DecodedColumns, Strings};
use crate::error::{Failure, QeError, Result, guard, guard_or};
use crate::ffi;
use crate::schema::{self, Kind};
use crate::searcher::QeSearcher;

const FIELD_SEQ_NO: u32 = u32::MAX;
const FIELD_VERSION: u32 = u32::MAX - 1;

enum Values {
    I64(Column<i64>),
    F64(Column<f64>),
    Bool(Column<bool>),
    Str(StrColumn),
}

impl Values {
    fn is_empty(&self) -> bool {
        let values = match self {
            Values::I64(column) => column.values.num_vals(),
            Values::F64(column) => column.values.num_vals(),
            Values::Bool(column) => column.values.num_vals(),
            Values::Str(column) => column.ords().values.num_vals(),
        };
        values == 0
    }
}

pub struct QeColumn {
    kind: Kind,
    values: Values,
    max_doc: u32,
    /// The string that `qe_column_ord_str` gave last, when they are not all in memory.
    text: String,
    decoded: Arc<DecodedColumn>,
    shared: Arc<DecodedColumns>,
}

/// Once this part of a column has been read, the column is worth unpacking. A string alone costs more than a hundred
/// of them together.
const DECODE_FROM_SHARE: usize = 8;
const STRINGS_FROM_SHARE: usize = 64;

/// `qe_strings`.
#[repr(C)]
pub struct QeStrings {
    bytes: *const c_char,
    starts: *const u32,
    n: u64,
}

impl QeStrings {
    fn of(strings: &Strings) -> QeStrings {
        let (bytes, starts) = (&strings.bytes, &strings.starts);
        QeStrings { bytes: bytes.as_ptr().cast(), starts: starts.as_ptr(), n: starts.len() as u64 - 1 }
    }
}

fn open(s: &QeSearcher, segment: usize, field: u32) -> Result<Option<QeColumn>> {
    let reader = s.reader(segment)?;
    let (kind, name) = match field {
        FIELD_SEQ_NO => (Kind::I64, schema::SEQ_NO),
        FIELD_VERSION => (Kind::I64, schema::VERSION),
        _ => {
            let info = s.field(field).ok_or_else(|| {
                Failure::invalid(format!("field id {field}: the index has only {} fields", s.fields.len()))
            })?;
            if !info.has_column {
                return Err(Failure::invalid(format!("field '{}' has no column", info.path)));
            }
            (info.kind, info.column.as_str())
        }
    };
    let columns = reader.fast_fields();
    let values = match kind {
        Kind::Keyword | Kind::Text => columns.str(name)?.map(Values::Str),
        Kind::I64 | Kind::Date => columns.column_opt::<i64>(name)?.map(Values::I64),
        Kind::F64 => columns.column_opt::<f64>(name)?.map(Values::F64),
        Kind::Bool => columns.column_opt::<bool>(name)?.map(Values::Bool),
    };
    let Some(values) = values.filter(|values| !values.is_empty()) else {
        return Ok(None);
    };
    Ok(Some(QeColumn {
        kind,
        values,
        max_doc: reader.max_doc(),
        text: String::new(),
        decoded: s.decoded.column((reader.segment_id(), field)),
        shared: Arc::clone(&s.decoded),
    }))
}

/// What C wants numbers as.
trait Slot: Copy + Default {
    fn from_i64(v: i64) -> Self;
    /// Of a number within `decoded::NARROW`.
    fn from_narrow(v: i64) -> Self;
    fn from_f64(v: f64) -> Self;
}

impl Slot for f64 {
    fn from_i64(v: i64) -> f64 {
        v as f64
    }
    /// In one instruction the processor converts one number; this way, as many as fit a vector: added to the bits of
    /// 1.5 * 2^52, the number is that double's fraction.
    fn from_narrow(v: i64) -> f64 {
        const BASE: f64 = 6_755_399_441_055_744.0;
        f64::from_bits(BASE.to_bits().wrapping_add(v as u64)) - BASE
    }
    fn from_f64(v: f64) -> f64 {
        v
    }
}

impl Slot for i64 {
    fn from_i64(v: i64) -> i64 {
        v
    }
    fn from_narrow(v: i64) -> i64 {
        v
    }
    fn from_f64(v: f64) -> i64 {
        v as i64
    }
}

/// The values of ascending documents. Neighbours, as a query for all documents asks for them, are copied in one loop
/// over both arrays.
fn pick<T: Copy, S>(from: &[T], docs: &[DocId], to: &mut [S], convert: impl Fn(T) -> S) {
    let (Some(first), Some(last)) = (docs.first(), docs.last()) else {
        return;
    };
    let (first, last) = (*first as usize, *last as usize);
    if last.wrapping_sub(first) == docs.len() - 1 {
        to.iter_mut().zip(&from[first..=last]).for_each(|(to, from)| *to = convert(*from));
    } else {
        to.iter_mut().zip(docs).for_each(|(to, doc)| *to = convert(from[*doc as usize]));
    }
}

/// Where the answers go.
struct Out<'a, S> {
    docs: &'a [DocId],
    values: &'a mut [S],
    valid: &'a mut [u8],
}

impl<S: Copy + Default> Out<'_, S> {
    /// First values of a column; true when every document has one.
    fn fill<T>(&mut self, column: &Column<T>, convert: impl Fn(T) -> S) -> bool
    where
        T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + Default + 'static,
    {
        match &column.index {
            ColumnIndex::Full => {
                self.fill_full(column, convert);
                return true;
            }
            ColumnIndex::Empty { .. } => {
                self.values.fill(S::default());
                self.valid.fill(0);
            }
            ColumnIndex::Optional(index) => {
                use tantivy::columnar::column_index::Set;
                self.fill_each(|doc| index.rank_if_exists(doc).map(|row| convert(column.values.get_val(row))));
            }
            ColumnIndex::Multivalued(_) => self.fill_each(|doc| column.first(doc).map(&convert)),
        }
        self.valid.iter().all(|v| *v == 1)
    }

    /// Every document has its value in the row of its own number: read in batches, convert after.
    fn fill_full<T>(&mut self, column: &Column<T>, convert: impl Fn(T) -> S)
    where
        T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + Default + 'static,
    {
        const BATCH: usize = 256;
        let mut batch = [T::default(); BATCH];
        for (docs, values) in self.docs.chunks(BATCH).zip(self.values.chunks_mut(BATCH)) {
            let read = &mut batch[..docs.len()];
            column.values.get_vals(docs, read);
            for (to, from) in values.iter_mut().zip(read) {
                *to = convert(*from);
            }
        }
        self.valid.fill(1);
    }

    /// From an unpacked column.
    fn copy(&mut self, from: &Decoded, convert: impl Fn(u64) -> S) -> bool {
        match &from.values {
            decoded::Values::Bits(bits) => pick(bits, self.docs, self.values, convert),
            decoded::Values::Ords(ords) => pick(ords, self.docs, self.values, |ord| convert(ord.into())),
        }
        let Some(valid) = &from.valid else {
            self.valid.fill(1);
            return true;
        };
        pick(valid, self.docs, self.valid, |v| v);
        self.valid.iter().fold(1, |all, v| all & v) == 1
    }

    fn fill_each(&mut self, first: impl Fn(DocId) -> Option<S>) {
        for ((doc, value), valid) in self.docs.iter().zip(self.values.iter_mut()).zip(self.valid.iter_mut()) {
            let found = first(*doc);
            *value = found.unwrap_or_default();
            *valid = u8::from(found.is_some());
        }
    }
}

impl QeColumn {
    /// The column unpacked, if it is or has become worth it.
    fn decoded(&self, asked: usize) -> Option<&Decoded> {
        let (shared, max_doc) = (&self.shared, self.max_doc);
        self.decoded.values.get(asked, max_doc as usize / DECODE_FROM_SHARE, || match &self.values {
            Values::I64(column) => Decoded::of_bits(shared, max_doc, |docs, values, valid| {
                Out { docs, values, valid }.fill(column, |v| v as u64)
            }),
            Values::F64(column) => Decoded::of_bits(shared, max_doc, |docs, values, valid| {
                Out { docs, values, valid }.fill(column, f64::to_bits)
            }),
            Values::Bool(column) => Decoded::of_bits(shared, max_doc, |docs, values, valid| {
                Out { docs, values, valid }.fill(column, u64::from)
            }),
            Values::Str(column) => Decoded::of_ords(shared, max_doc, |docs, values, valid| {
                Out { docs, values, valid }.fill(column.ords(), |ord| ord as u32)
            }),
        })
    }

    /// All strings, if they are in memory or this has become worth it.
    fn strings(&self, wanted: usize) -> Option<&Strings> {
        let Values::Str(column) = &self.values else {
            return None;
        };
        let enough = column.num_terms() / STRINGS_FROM_SHARE;
        self.decoded.strings.get(wanted, enough, || Strings::new(&self.shared, column))
    }

    /// False when the column holds strings.
    fn numbers<S: Slot>(&self, mut out: Out<S>, all_valid: &mut bool) -> bool {
        if matches!(self.values, Values::Str(_)) {
            return false;
        }
        *all_valid = match (self.decoded(out.docs.len()), &self.values) {
            (Some(decoded), Values::F64(_)) => out.copy(decoded, |bits| S::from_f64(f64::from_bits(bits))),
            (Some(decoded), _) if decoded.is_narrow => out.copy(decoded, |bits| S::from_narrow(bits as i64)),
            (Some(decoded), _) => out.copy(decoded, |bits| S::from_i64(bits as i64)),
            (None, Values::I64(column)) => out.fill(column, S::from_i64),
            (None, Values::F64(column)) => out.fill(column, S::from_f64),
            (None, Values::Bool(column)) => out.fill(column, |v| S::from_i64(i64::from(v))),
            (None, Values::Str(_)) => false,
        };
        true
    }

    /// False when the column holds numbers.
    fn ords(&self, mut out: Out<u64>, all_valid: &mut bool) -> bool {
        let Values::Str(column) = &self.values else {
            return false;
        };
        *all_valid = match self.decoded(out.docs.len()) {
            Some(decoded) => out.copy(decoded, |ord| ord),
            None => out.fill(column.ords(), |ord| ord),
        };
        true
    }

    fn is_single(&self) -> bool {
        let index = match &self.values {
            Values::I64(column) => &column.index,
            Values::F64(column) => &column.index,
            Values::Bool(column) => &column.index,
            Values::Str(column) => &column.ords().index,
        };
        !matches!(index, ColumnIndex::Multivalued(_))
    }

    fn count(&self, doc: DocId) -> u32 {
        if doc >= self.max_doc {
            return 0;
        }
        let rows = match &self.values {
            Values::I64(column) => column.index.value_row_ids(doc),
            Values::F64(column) => column.index.value_row_ids(doc),
            Values::Bool(column) => column.index.value_row_ids(doc),
            Values::Str(column) => column.ords().index.value_row_ids(doc),
        };
        rows.end - rows.start
    }

    fn nth<S: Slot>(&self, doc: DocId, i: usize) -> Option<S> {
        if doc >= self.max_doc {
            return None;
        }
        match &self.values {
            Values::I64(column) => column.values_for_doc(doc).nth(i).map(S::from_i64),
            Values::F64(column) => column.values_for_doc(doc).nth(i).map(S::from_f64),
            Values::Bool(column) => column.values_for_doc(doc).nth(i).map(|v| S::from_i64(i64::from(v))),
            Values::Str(_) => None,
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_open(
    s: *const QeSearcher,
    segment: usize,
    field: u32,
    out: *mut *mut QeColumn,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let column = open(unsafe { &*s }, segment, field)?;
        unsafe { *out = column.map_or(std::ptr::null_mut(), |c| Box::into_raw(Box::new(c))) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_free(c: *mut QeColumn) {
    guard_or((), || {
        if !c.is_null() {
            drop(unsafe { Box::from_raw(c) });
        }
    });
}

/// # Safety
/// `docs`, `out` and `valid` have room for `n`.
unsafe fn numbers<S: Slot>(
    c: *const QeColumn,
    n: usize,
    docs: *const u32,
    out: *mut S,
    valid: *mut u8,
    all_valid: *mut bool,
) -> bool {
    guard_or(false, || {
        let (column, out) = unsafe {
            (&*c, Out { docs: ffi::slice(docs, n), values: ffi::slice_mut(out, n), valid: ffi::slice_mut(valid, n) })
        };
        let mut all = false;
        let has_numbers = column.numbers(out, &mut all);
        if let Some(all_valid) = unsafe { all_valid.as_mut() } {
            *all_valid = all;
        }
        has_numbers
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_f64(
    c: *const QeColumn,
    n: usize,
    docs: *const u32,
    out: *mut f64,
    valid: *mut u8,
    all_valid: *mut bool,
) -> bool {
    unsafe { numbers(c, n, docs, out, valid, all_valid) }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_i64(
    c: *const QeColumn,
    n: usize,
    docs: *const u32,
    out: *mut i64,
    valid: *mut u8,
    all_valid: *mut bool,
) -> bool {
    unsafe { numbers(c, n, docs, out, valid, all_valid) }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_ords(
    c: *const QeColumn,
    n: usize,
    docs: *const u32,
    out: *mut u64,
    valid: *mut u8,
    all_valid: *mut bool,
) -> bool {
    guard_or(false, || {
        let (column, out) = unsafe {
            let out =
                Out { docs: ffi::slice(docs, n), values: ffi::slice_mut(out, n), valid: ffi::slice_mut(valid, n) };
            (&*c, out)
        };
        let mut all = false;
        let has_ords = column.ords(out, &mut all);
        if let Some(all_valid) = unsafe { all_valid.as_mut() } {
            *all_valid = all;
        }
        has_ords
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_ord_str(
    c: *mut QeColumn,
    ord: u64,
    p: *mut *const c_char,
    n: *mut usize,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let column = unsafe { &mut *c };
        let Values::Str(values) = &column.values else {
            return Err(Failure::invalid("the column holds numbers, which have no ordinals"));
        };
        let text = match column.strings(1) {
            Some(strings) => strings.get(ord),
            None => values.ord_to_str(ord, &mut column.text)?.then_some(column.text.as_bytes()),
        };
        let Some(text) = text else {
            return Err(Failure::invalid(format!("ordinal {ord}: the column has only {}", values.num_terms())));
        };
        unsafe {
            *p = text.as_ptr().cast();
            *n = text.len();
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_strings(c: *const QeColumn, wanted: usize, out: *mut QeStrings) -> bool {
    guard_or(false, || give(unsafe { &*c }.strings(wanted).map(QeStrings::of), out))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_is_single(c: *const QeColumn) -> bool {
    guard_or(false, || unsafe { &*c }.is_single())
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_count(c: *const QeColumn, doc: u32) -> u32 {
    guard_or(0, || unsafe { &*c }.count(doc))
}

/// Writes what was found.
fn give<T>(found: Option<T>, out: *mut T) -> bool {
    match found {
        Some(value) => {
            unsafe { out.write(value) };
            true
        }
        None => false,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_nth_f64(c: *const QeColumn, doc: u32, i: u32, out: *mut f64) -> bool {
    guard_or(false, || give(unsafe { &*c }.nth(doc, i as usize), out))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_nth_i64(c: *const QeColumn, doc: u32, i: u32, out: *mut i64) -> bool {
    guard_or(false, || give(unsafe { &*c }.nth(doc, i as usize), out))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_nth_ord(c: *const QeColumn, doc: u32, i: u32, out: *mut u64) -> bool {
    guard_or(false, || {
        let column = unsafe { &*c };
        match &column.values {
            Values::Str(values) if doc < column.max_doc => give(values.ords().values_for_doc(doc).nth(i as usize), out),
            _ => false,
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_column_kind(c: *const QeColumn) -> c_int {
    guard_or(0, || unsafe { &*c }.kind.to_c())
}
