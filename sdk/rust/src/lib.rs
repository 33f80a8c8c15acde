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

use core::mem::MaybeUninit;

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
        pub fn get_document_id(ctx: i64, buf: *mut u8, len: *mut usize) -> i32;
        pub fn get_score(ctx: i64) -> f64;
        pub fn get_param_string(name: *const u8, name_len: usize, buf: *mut u8, len: *mut usize) -> i32;
        pub fn get_param_i64(name: *const u8, name_len: usize, out: *mut i64) -> i32;
        pub fn get_param_f64(name: *const u8, name_len: usize, out: *mut f64) -> i32;
        pub fn get_param_bool(name: *const u8, name_len: usize, out: *mut i32) -> i32;
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
