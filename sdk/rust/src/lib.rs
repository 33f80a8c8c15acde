// SPDX-License-Identifier: Apache-2.0

//! Functions for the search engine Quidditch: its host functions, safe and without allocation. ABI version 1.
//!
//! The typed shape needs nothing of this crate but a panic handler: a function's arguments are the manifest's
//! parameters. In the row shape a function gets a [`Context`] and asks for what it needs:
//!
//! ```ignore
//! #![no_std]
//! use quidditch_udf::{panic_handler, Context};
//! panic_handler!();
//!
//! #[no_mangle]
//! pub extern "C" fn filter(ctx: Context) -> bool {
//!     ctx.f64("price").map_or(false, |price| price < 100.0)
//! }
//! ```
//!
//! Each host function needs a permission in the manifest, named with it; parameters need none. Field names are paths:
//! `vendor.name`, `tags[2]`.

#![no_std]

use core::cell::Cell;
use core::mem::MaybeUninit;

pub mod batch;

pub const ABI_VERSION: u32 = 1;

/// The host functions as they are. What they answer: see [`Error`].
pub mod raw {
    #[link(wasm_import_module = "env")]
    extern "C" {
        pub fn has_field(ctx: i64, name: *const u8, name_len: usize) -> i32;
        pub fn get_field_string(ctx: i64, name: *const u8, name_len: usize, buf: *mut u8, len: *mut usize) -> i32;
        pub fn get_field_i64(ctx: i64, name: *const u8, name_len: usize, out: *mut i64) -> i32;
        pub fn get_field_f64(ctx: i64, name: *const u8, name_len: usize, out: *mut f64) -> i32;
        pub fn get_field_bool(ctx: i64, name: *const u8, name_len: usize, out: *mut i32) -> i32;
        pub fn get_field_count(ctx: i64, name: *const u8, name_len: usize) -> i32;
        pub fn get_document_id(ctx: i64, buf: *mut u8, len: *mut usize) -> i32;
        pub fn field_handle(name: *const u8, name_len: usize) -> i32;
        pub fn field_f64(field: i32) -> f64;
        pub fn field_i64(field: i32) -> i64;
        pub fn field_valid(field: i32) -> i32;
        pub fn field_string(field: i32, buf: *mut u8, len: *mut usize) -> i32;
        pub fn field_count(field: i32) -> i32;
        pub fn field_f64_at(field: i32, i: u32, out: *mut f64) -> i32;
        pub fn field_i64_at(field: i32, i: u32, out: *mut i64) -> i32;
        pub fn field_string_at(field: i32, i: u32, buf: *mut u8, len: *mut usize) -> i32;
        pub fn score() -> f64;
        pub fn get_score(ctx: i64) -> f64;
        pub fn get_param_string(name: *const u8, name_len: usize, buf: *mut u8, len: *mut usize) -> i32;
        pub fn get_param_i64(name: *const u8, name_len: usize, out: *mut i64) -> i32;
        pub fn get_param_f64(name: *const u8, name_len: usize, out: *mut f64) -> i32;
        pub fn get_param_bool(name: *const u8, name_len: usize, out: *mut i32) -> i32;
        pub fn set_result_string(text: *const u8, text_len: usize);
        pub fn set_result_missing();
        pub fn log(level: i32, message: *const u8, message_len: usize) -> i32;
    }
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The document has no such value; the query gives no such parameter.
    Missing,
    /// It has one of another type, or a number that does not fit.
    WrongType,
    /// The text is longer than the buffer: so many bytes.
    TooSmall(usize),
    /// The context is not this call's, or the text is not UTF-8.
    Bad,
}

pub type Result<T> = core::result::Result<T, Error>;

fn check(answer: i32) -> Result<()> {
    match answer {
        0 => Ok(()),
        1 => Err(Error::Missing),
        2 => Err(Error::WrongType),
        _ => Err(Error::Bad),
    }
}

/// A scalar that `get` writes where it is told to when it answers 0.
fn scalar<T: Copy>(get: impl FnOnce(*mut T) -> i32) -> Result<T> {
    let mut out = MaybeUninit::<T>::uninit();
    check(get(out.as_mut_ptr()))?;
    Ok(unsafe { out.assume_init() })
}

/// Room for a text of the engine's, on the stack or in a static. It is not cleared before use: for each document that
/// would take longer than all the rest.
pub struct Buffer<const N: usize>(MaybeUninit<[u8; N]>);

impl<const N: usize> Default for Buffer<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Buffer<N> {
    pub const fn new() -> Self {
        Buffer(MaybeUninit::uninit())
    }

    /// `get` is given the buffer and its size, which it turns into the text's length.
    fn text(&mut self, get: impl FnOnce(*mut u8, *mut usize) -> i32) -> Result<&str> {
        let buf = self.0.as_mut_ptr().cast::<u8>();
        let mut len = N;
        match check(get(buf, &mut len)) {
            Err(Error::Bad) if len > N => return Err(Error::TooSmall(len)),
            Err(e) => return Err(e),
            Ok(()) => {}
        }
        // The engine has written so many bytes, and no more than there is room for.
        core::str::from_utf8(unsafe { core::slice::from_raw_parts(buf, len) }).map_err(|_| Error::Bad)
    }
}

/// The document at hand: an id, good for the call that it was given to, and for nothing after.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Context(i64);

impl Context {
    /// Has the document a value for the field? Permission of this and of the readers below: `read_document`.
    pub fn has(self, field: &str) -> bool {
        unsafe { raw::has_field(self.0, field.as_ptr(), field.len()) != 0 }
    }

    /// A number; a fraction is cut toward zero.
    pub fn i64(self, field: &str) -> Result<i64> {
        scalar(|out| unsafe { raw::get_field_i64(self.0, field.as_ptr(), field.len(), out) })
    }

    pub fn f64(self, field: &str) -> Result<f64> {
        scalar(|out| unsafe { raw::get_field_f64(self.0, field.as_ptr(), field.len(), out) })
    }

    pub fn bool(self, field: &str) -> Result<bool> {
        scalar(|out| unsafe { raw::get_field_bool(self.0, field.as_ptr(), field.len(), out) }).map(|v: i32| v != 0)
    }

    pub fn string<'b, const N: usize>(self, field: &str, buffer: &'b mut Buffer<N>) -> Result<&'b str> {
        buffer.text(|buf, len| unsafe { raw::get_field_string(self.0, field.as_ptr(), field.len(), buf, len) })
    }

    /// How many values it has for the field: of an array, its elements.
    pub fn count(self, field: &str) -> usize {
        unsafe { raw::get_field_count(self.0, field.as_ptr(), field.len()) as usize }
    }

    /// The document's `_id`.
    pub fn id<const N: usize>(self, buffer: &mut Buffer<N>) -> Result<&str> {
        buffer.text(|buf, len| unsafe { raw::get_document_id(self.0, buf, len) })
    }

    /// The score of the query below the function; 0 where there is none, NaN for a context that is not this call's.
    /// Permission: `read_score`.
    pub fn score(self) -> f64 {
        unsafe { raw::get_score(self.0) }
    }
}

/// A field by handle, looked up once: its numbers are then read without leaving the sandbox, some 20 times as fast as
/// by name. A handle is good as long as the module's instance, so it can stand in a static ([`LazyField`]).
#[derive(Clone, Copy)]
pub struct Field(i32);

impl Field {
    /// None: more than 64 different fields. Permission: `read_document`.
    pub fn new(name: &str) -> Option<Field> {
        let handle = unsafe { raw::field_handle(name.as_ptr(), name.len()) };
        if handle < 0 {
            None
        } else {
            Some(Field(handle))
        }
    }

    /// Has the document at hand a number, a boolean or a date there?
    pub fn is_valid(self) -> bool {
        unsafe { raw::field_valid(self.0) != 0 }
    }

    /// A number, a boolean (0 or 1) or a date (milliseconds since 1970); None: there is no such value.
    pub fn f64(self) -> Option<f64> {
        let value = unsafe { raw::field_f64(self.0) };
        if self.is_valid() {
            Some(value)
        } else {
            None
        }
    }

    /// The same; a fraction is cut, and what does not fit is the nearest that does.
    pub fn i64(self) -> Option<i64> {
        let value = unsafe { raw::field_i64(self.0) };
        if self.is_valid() {
            Some(value)
        } else {
            None
        }
    }

    /// The same with 0 where there is no such value: one read, for sums and the like.
    pub fn f64_or_0(self) -> f64 {
        unsafe { raw::field_f64(self.0) }
    }

    pub fn string<const N: usize>(self, buffer: &mut Buffer<N>) -> Result<&str> {
        buffer.text(|buf, len| unsafe { raw::field_string(self.0, buf, len) })
    }

    /// How many values the document has there: of an array, its elements.
    pub fn count(self) -> usize {
        unsafe { raw::field_count(self.0) as usize }
    }

    /// The value number `i` of several, from 0.
    pub fn f64_at(self, i: usize) -> Result<f64> {
        scalar(|out| unsafe { raw::field_f64_at(self.0, i as u32, out) })
    }

    pub fn i64_at(self, i: usize) -> Result<i64> {
        scalar(|out| unsafe { raw::field_i64_at(self.0, i as u32, out) })
    }

    pub fn string_at<const N: usize>(self, i: usize, buffer: &mut Buffer<N>) -> Result<&str> {
        buffer.text(|buf, len| unsafe { raw::field_string_at(self.0, i as u32, buf, len) })
    }
}

/// A field for a static, looked up at the first document: `static PRICE: LazyField = LazyField::new("price");`
pub struct LazyField {
    name: &'static str,
    handle: Cell<i32>, // UNKNOWN: not looked up yet
}

const UNKNOWN: i32 = -2;

// A module's instance has one thread.
unsafe impl Sync for LazyField {}

impl LazyField {
    pub const fn new(name: &'static str) -> Self {
        LazyField { name, handle: Cell::new(UNKNOWN) }
    }

    /// More than 64 different fields end the call.
    #[inline]
    pub fn get(&self) -> Field {
        match self.handle.get() {
            UNKNOWN => match Field::new(self.name) {
                Some(field) => {
                    self.handle.set(field.0);
                    field
                }
                None => trap(),
            },
            handle => Field(handle),
        }
    }
}

/// The score as [`Context::score`] gives it, without leaving the sandbox. Permission: `read_score`.
pub fn score() -> f64 {
    unsafe { raw::score() }
}

/// The result where it is no number: a function that returns a string (the manifest's `returns`) says which. What it
/// returns itself is then not looked at, and without a string there is no result.
pub fn set_result(text: &str) {
    unsafe { raw::set_result_string(text.as_ptr(), text.len()) }
}

/// The document at hand has no result.
pub fn set_result_missing() {
    unsafe { raw::set_result_missing() }
}

/// A text that the engine has laid into the module's memory: an argument in the typed shape, where each string is two,
/// `(text: *const u8, text_len: usize)`.
///
/// # Safety
/// Only with what the engine gave, and until the call ends.
pub unsafe fn text<'a>(text: *const u8, text_len: usize) -> &'a str {
    if text_len == 0 {
        return "";
    }
    core::str::from_utf8_unchecked(core::slice::from_raw_parts(text, text_len))
}

/// The function's parameters by name: the query's value, or where the manifest says it comes from.
pub mod param {
    use super::{raw, scalar, Buffer, Result};

    /// A number; a fraction is cut toward zero.
    pub fn i64(name: &str) -> Result<i64> {
        scalar(|out| unsafe { raw::get_param_i64(name.as_ptr(), name.len(), out) })
    }

    pub fn f64(name: &str) -> Result<f64> {
        scalar(|out| unsafe { raw::get_param_f64(name.as_ptr(), name.len(), out) })
    }

    pub fn bool(name: &str) -> Result<bool> {
        scalar(|out| unsafe { raw::get_param_bool(name.as_ptr(), name.len(), out) }).map(|v: i32| v != 0)
    }

    pub fn string<'b, const N: usize>(name: &str, buffer: &'b mut Buffer<N>) -> Result<&'b str> {
        buffer.text(|buf, len| unsafe { raw::get_param_string(name.as_ptr(), name.len(), buf, len) })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Level {
    Debug = 0,
    Info = 1,
    Warning = 2,
    Error = 3,
}

/// A message for the log; past the function's limit (`log_bytes`) the rest is dropped. When a call fails, the last
/// error that it logged becomes part of what the user is told. Permission: `log`.
pub fn log(level: Level, message: &str) {
    unsafe { raw::log(level as i32, message.as_ptr(), message.len()) };
}

/// Ends the call as a failure; the message is what the user is told. Permission: `log`.
pub fn fail(message: &str) -> ! {
    log(Level::Error, message);
    trap()
}

/// Ends the call as a failure.
pub fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    panic!("a function runs in the engine only");
}

/// Logs where the program panicked, as "panic at src/lib.rs:12", and ends the call. Formatting the panic's own message
/// would make the module some ten times larger.
pub fn fail_at(file: &str, line: u32) -> ! {
    const PREFIX: &[u8] = b"panic at ";
    const DIGITS: usize = 10;
    let mut text = [0u8; 128];
    let mut n = 0;
    let mut add = |bytes: &[u8]| {
        for &b in bytes.iter().take(text.len() - n) {
            text[n] = b;
            n += 1;
        }
    };
    // The end of a long path tells more than its beginning.
    let path = file.as_bytes();
    let cut = path.len().saturating_sub(128 - PREFIX.len() - 1 - DIGITS);
    let (mut digits, mut at, mut rest) = ([0u8; DIGITS], DIGITS, line);
    while at > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    add(PREFIX);
    add(path.get(cut..).unwrap_or(b""));
    add(b":");
    add(digits.get(at..).unwrap_or(b""));
    unsafe { raw::log(Level::Error as i32, text.as_ptr(), n) };
    trap()
}

/// A crate without `std` must say what a panic does: `panic_handler!()` ends the call as a trap, `panic_handler!(log)`
/// logs the place before (permission `log`). A crate with `std` needs neither.
#[macro_export]
macro_rules! panic_handler {
    () => {
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            $crate::trap()
        }
    };
    (log) => {
        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo) -> ! {
            match info.location() {
                Some(place) => $crate::fail_at(place.file(), place.line()),
                None => $crate::trap(),
            }
        }
    };
}
