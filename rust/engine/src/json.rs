// SPDX-License-Identifier: Apache-2.0
//! JSON as a stream of events: serde reads, C hears.
//!
//! Strings are passed on as serde lends them; the only memory is its scratch space for one string with escapes, which
//! is no longer than the text. Depth is bounded twice: by the caller's limit and by serde_json's own (127).

use std::ffi::{c_char, c_int, c_void};
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::{Failure, QE_ESYNTAX, QeError, Result, guard};
use crate::ffi;

/// `qe_event` of engine.h.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "C gives all values their meaning")]
pub enum Event {
    BeginObject,
    EndObject,
    BeginArray,
    EndArray,
    Key,
    String,
    NumberI64,
    NumberF64,
    True,
    False,
    Null,
}

/// `qe_json_value` of engine.h.
#[repr(C)]
pub struct QeJsonValue {
    s: *const c_char,
    n: usize,
    i: i64,
    f: f64,
}

type QeJsonFn = extern "C" fn(arg: *mut c_void, event: Event, value: *const QeJsonValue) -> bool;

struct Reader {
    cb: QeJsonFn,
    arg: *mut c_void,
    max_depth: u32,
    stopped: bool,
}

impl Reader {
    fn emit<E: de::Error>(&mut self, event: Event, text: &str, i: i64, f: f64) -> std::result::Result<(), E> {
        let value = QeJsonValue { s: text.as_ptr().cast(), n: text.len(), i, f };
        if (self.cb)(self.arg, event, &value) {
            return Ok(());
        }
        self.stopped = true;
        Err(E::custom("stopped"))
    }

    fn mark<E: de::Error>(&mut self, event: Event) -> std::result::Result<(), E> {
        self.emit(event, "", 0, 0.0)
    }
}

/// One value at `depth` containers deep.
struct Value<'a> {
    reader: &'a mut Reader,
    depth: u32,
}

impl Value<'_> {
    fn inside<E: de::Error>(&self) -> std::result::Result<u32, E> {
        if self.depth >= self.reader.max_depth {
            return Err(E::custom(format_args!("nested deeper than {} levels", self.reader.max_depth)));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<(), E> {
        self.reader.mark(Event::Null)
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> std::result::Result<(), E> {
        self.reader.emit(if v { Event::True } else { Event::False }, "", i64::from(v), 0.0)
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> std::result::Result<(), E> {
        self.reader.emit(Event::NumberI64, "", v, 0.0)
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> std::result::Result<(), E> {
        match i64::try_from(v) {
            Ok(v) => self.visit_i64(v),
            Err(_) => self.visit_f64(v as f64),
        }
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> std::result::Result<(), E> {
        self.reader.emit(Event::NumberF64, "", 0, v)
    }

    fn visit_str<E: de::Error>(self, v: &str) -> std::result::Result<(), E> {
        self.reader.emit(Event::String, v, 0, 0.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        let depth = self.inside()?;
        self.reader.mark(Event::BeginArray)?;
        while seq.next_element_seed(Value { reader: self.reader, depth })?.is_some() {}
        self.reader.mark(Event::EndArray)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let depth = self.inside()?;
        self.reader.mark(Event::BeginObject)?;
        while map.next_key_seed(Key(self.reader))?.is_some() {
            map.next_value_seed(Value { reader: self.reader, depth })?;
        }
        self.reader.mark(Event::EndObject)
    }
}

struct Key<'a>(&'a mut Reader);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, v: &str) -> std::result::Result<(), E> {
        self.0.emit(Event::Key, v, 0, 0.0)
    }
}

fn syntax_failure(error: &serde_json::Error) -> Failure {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let message = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text).to_string();
    Failure { code: QE_ESYNTAX, line: line as u32, column: column as u32, offset: 0, message }
}

fn read(text: &[u8], reader: &mut Reader) -> Result<()> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let outcome = Value { reader, depth: 0 }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match outcome {
        Ok(()) => Ok(()),
        Err(_) if reader.stopped => Err(Failure::stopped()),
        Err(error) => Err(syntax_failure(&error)),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_json_read(
    text: *const c_char,
    len: usize,
    max_depth: u32,
    cb: QeJsonFn,
    arg: *mut c_void,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let mut reader = Reader { cb, arg, max_depth, stopped: false };
        read(unsafe { ffi::bytes(text, len) }, &mut reader)
    })
}
