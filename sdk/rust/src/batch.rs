// SPDX-License-Identifier: Apache-2.0

//! The batch shape: a block of documents at once, as columns in the module's memory.
//!
//! ```ignore
//! #[no_mangle]
//! pub unsafe extern "C" fn score(n: u32, columns: *const Column, out: *mut Column) {
//!     let block = Block::new(n, columns, 2, out); // the manifest has two parameters
//!     let (relevance, price) = (block.column(0).f64(), block.column(1).f64());
//!     for ((result, r), p) in block.out.f64_mut().iter_mut().zip(relevance).zip(price) {
//!         *result = r * p;
//!     }
//! }
//! ```

use core::marker::PhantomData;
use core::slice;

/// A block's values of one parameter, or its results, as they lie in memory.
#[repr(C)]
pub struct Column {
    data: *mut u8,
    valid: *mut u8,
    kind: u32,
    flags: u32,
}

const I32: u32 = 0;
const I64: u32 = 1;
const F32: u32 = 2;
const F64: u32 = 3;
const STRING: u32 = 4;
const CONSTANT: u32 = 1;

/// A string of a column.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Text {
    data: *const u8,
    len: usize,
}

impl Text {
    pub const EMPTY: Text = Text { data: 1 as *const u8, len: 0 };

    /// For a result: what it points to must stay until the block has been read.
    pub const fn new(text: &'static str) -> Text {
        Text { data: text.as_ptr(), len: text.len() }
    }

    pub fn as_str(&self) -> &str {
        if self.len == 0 {
            return ""; // where there is no value, no address either
        }
        // The engine lays down UTF-8 only.
        unsafe { core::str::from_utf8_unchecked(slice::from_raw_parts(self.data, self.len)) }
    }
}

/// The arguments and the results of one call.
pub struct Block<'a> {
    pub n: usize,
    columns: &'a [Column],
    pub out: Results<'a>,
}

impl<'a> Block<'a> {
    /// # Safety
    /// Only with what the engine gave; `n_columns` is the number of the manifest's parameters.
    pub unsafe fn new(n: u32, columns: *const Column, n_columns: usize, out: *mut Column) -> Block<'a> {
        // Without parameters there is no array of them.
        let columns = if n_columns == 0 { &[][..] } else { slice::from_raw_parts(columns, n_columns) };
        Block { n: n as usize, columns, out: Results { n: n as usize, column: out, of: PhantomData } }
    }

    /// The parameter number `i`, from 0; a wrong number panics.
    pub fn column(&self, i: usize) -> Values<'a> {
        Values { n: self.n, column: &self.columns[i] }
    }
}

/// One parameter's values. Asking for another type than the manifest's panics.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    n: usize,
    column: &'a Column,
}

impl<'a> Values<'a> {
    fn slice<T>(&self, kind: u32) -> &'a [T] {
        assert!(self.column.kind == kind);
        unsafe { slice::from_raw_parts(self.column.data.cast(), self.n) }
    }

    pub fn f64(&self) -> &'a [f64] {
        self.slice(F64)
    }

    pub fn f32(&self) -> &'a [f32] {
        self.slice(F32)
    }

    pub fn i64(&self) -> &'a [i64] {
        self.slice(I64)
    }

    /// i32, and booleans as 0 and 1.
    pub fn i32(&self) -> &'a [i32] {
        self.slice(I32)
    }

    pub fn strings(&self) -> &'a [Text] {
        self.slice(STRING)
    }

    /// A byte per document, 0 where there is no value; None: all have one.
    pub fn valid(&self) -> Option<&'a [u8]> {
        if self.column.valid.is_null() {
            None
        } else {
            Some(unsafe { slice::from_raw_parts(self.column.valid, self.n) })
        }
    }

    /// Are all values equal?
    pub fn is_constant(&self) -> bool {
        self.column.flags & CONSTANT != 0
    }
}

/// Where the results go. Another type than the function's panics.
pub struct Results<'a> {
    n: usize,
    column: *mut Column,
    of: PhantomData<&'a mut Column>,
}

impl Results<'_> {
    fn slice<T>(&mut self, kind: u32) -> &mut [T] {
        unsafe {
            assert!((*self.column).kind == kind);
            slice::from_raw_parts_mut((*self.column).data.cast(), self.n)
        }
    }

    pub fn f64_mut(&mut self) -> &mut [f64] {
        self.slice(F64)
    }

    pub fn f32_mut(&mut self) -> &mut [f32] {
        self.slice(F32)
    }

    pub fn i64_mut(&mut self) -> &mut [i64] {
        self.slice(I64)
    }

    /// i32, and the 0 and 1 of a filter.
    pub fn i32_mut(&mut self) -> &mut [i32] {
        self.slice(I32)
    }

    pub fn strings_mut(&mut self) -> &mut [Text] {
        self.slice(STRING)
    }

    /// A byte per document, 1 at the start; 0: there is no result.
    pub fn valid_mut(&mut self) -> &mut [u8] {
        unsafe { slice::from_raw_parts_mut((*self.column).valid, self.n) }
    }
}
