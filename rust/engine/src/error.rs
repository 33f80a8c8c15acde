// SPDX-License-Identifier: Apache-2.0
//! Failures, how they reach C, and the one place where panics stop.

use std::any::Any;
use std::ffi::{c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use tantivy::TantivyError;
use tantivy::directory::error::{OpenDirectoryError, OpenReadError, OpenWriteError};

pub const QE_OK: c_int = 0;
pub const QE_EINVAL: c_int = 1;
pub const QE_EIO: c_int = 2;
pub const QE_ECORRUPT: c_int = 3;
pub const QE_ESYNTAX: c_int = 5;
pub const QE_ESTOPPED: c_int = 6;
pub const QE_EPANIC: c_int = 7;

const MESSAGE_BYTES: usize = 512;

/// `qe_error` of engine.h.
#[repr(C)]
pub struct QeError {
    code: c_int,
    line: u32,
    column: u32,
    offset: u64,
    message: [c_char; MESSAGE_BYTES],
}

/// Why a call failed; becomes a `qe_error` at the edge.
#[derive(Debug)]
pub struct Failure {
    pub code: c_int,
    pub line: u32,
    pub column: u32,
    pub offset: u64,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(code: c_int, message: impl Into<String>) -> Failure {
        Failure { code, line: 0, column: 0, offset: 0, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(QE_EINVAL, message)
    }

    pub fn corrupt(message: impl Into<String>) -> Failure {
        Failure::new(QE_ECORRUPT, message)
    }

    pub fn stopped() -> Failure {
        Failure::new(QE_ESTOPPED, "stopped by its callback")
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::new(QE_EIO, error.to_string())
    }
}

impl From<TantivyError> for Failure {
    fn from(error: TantivyError) -> Failure {
        use TantivyError as E;
        let code = match &error {
            E::FieldNotFound(_) | E::InvalidArgument(_) | E::SchemaError(_) | E::IndexAlreadyExists => QE_EINVAL,
            E::DataCorruption(_) | E::IncompatibleIndex(_) | E::DeserializeError(_) => QE_ECORRUPT,
            E::OpenReadError(OpenReadError::IncompatibleIndex(_)) => QE_ECORRUPT,
            _ => QE_EIO,
        };
        let message = match &error {
            E::OpenDirectoryError(e) => directory_message(e),
            E::OpenReadError(e) => read_message(e),
            E::OpenWriteError(OpenWriteError::FileAlreadyExists(path)) => {
                format!("file {} exists already", path.display())
            }
            E::IoError(e) => e.to_string(),
            E::LockFailure(_, _) => {
                "the index is locked: it is open in this process or in another one; close it there first".to_string()
            }
            _ => error.to_string(),
        };
        Failure::new(code, message)
    }
}

fn directory_message(error: &OpenDirectoryError) -> String {
    match error {
        OpenDirectoryError::DoesNotExist(path) => format!("directory {} does not exist", path.display()),
        OpenDirectoryError::NotADirectory(path) => format!("{} is not a directory", path.display()),
        OpenDirectoryError::FailedToCreateTempDir(e) => e.to_string(),
        OpenDirectoryError::IoError { io_error, directory_path } => {
            format!("directory {}: {io_error}", directory_path.display())
        }
    }
}

fn read_message(error: &OpenReadError) -> String {
    match error {
        OpenReadError::FileDoesNotExist(path) => format!("file {} does not exist", path.display()),
        OpenReadError::IoError { io_error, filepath } => format!("file {}: {io_error}", filepath.display()),
        OpenReadError::IncompatibleIndex(e) => format!("{e:?}"),
    }
}

/// Thrown by `stop_search` to leave Tantivy's loops, which know no other way out; never reported as a panic.
struct SearchStopped;

/// Unwinds out of a running `Weight::for_each…`; the enclosing [`guard`] turns it into QE_ESTOPPED. The panic hook is
/// not run.
pub fn stop_search() -> ! {
    std::panic::resume_unwind(Box::new(SearchStopped))
}

/// Runs a search of which `stop_search` ends no more than this part.
pub fn until_stopped(search: impl FnOnce() -> tantivy::Result<()>) -> tantivy::Result<()> {
    match catch_unwind(AssertUnwindSafe(search)) {
        Err(payload) if payload.is::<SearchStopped>() => Ok(()),
        Err(payload) => std::panic::resume_unwind(payload),
        Ok(outcome) => outcome,
    }
}

fn failure_of_panic(payload: Box<dyn Any + Send>) -> Failure {
    if payload.is::<SearchStopped>() {
        return Failure::stopped();
    }
    let text = payload
        .downcast_ref::<&str>()
        .map(|s| s.to_string())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown cause".to_string());
    Failure::new(QE_EPANIC, format!("internal error of the engine: {text}"))
}

/// Runs the body of an `extern "C"` function: panics and failures become a code and the caller's `qe_error`.
pub fn guard(err: *mut QeError, body: impl FnOnce() -> Result<()>) -> c_int {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return QE_OK,
        Ok(Err(failure)) => failure,
        Err(payload) => failure_of_panic(payload),
    };
    // SAFETY: the caller's pointer is NULL or a writable qe_error.
    if let Some(err) = unsafe { err.as_mut() } {
        report(err, &failure);
    }
    failure.code
}

/// Runs the body of an `extern "C"` function that has no way to report: a panic gives `otherwise`.
#[inline]
pub fn guard_or<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

fn report(err: &mut QeError, failure: &Failure) {
    err.code = failure.code;
    err.line = failure.line;
    err.column = failure.column;
    err.offset = failure.offset;
    let mut n = failure.message.len().min(MESSAGE_BYTES - 1);
    while !failure.message.is_char_boundary(n) {
        n -= 1;
    }
    for (to, from) in err.message.iter_mut().zip(&failure.message.as_bytes()[..n]) {
        *to = *from as c_char;
    }
    err.message[n] = 0;
}
