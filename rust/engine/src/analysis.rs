// SPDX-License-Identifier: Apache-2.0
//! The analyzer "standard": words by UAX #29 as Lucene's StandardTokenizer finds them, in lower case, 255 UTF-16 units
//! at most.
//!
//! Most text is ASCII, for which a table and a few comparisons decide. From a byte that is not ASCII on, up to the next
//! blank, the rules of Unicode decide (unicode-segmentation), and [`crate::analysis::unicode`] keeps what Lucene counts
//! as a word.

use std::collections::VecDeque;
use std::ffi::{c_char, c_void};

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use crate::error::guard_or;
use crate::ffi;

mod unicode;

/// Lucene counts UTF-16 code units, and so do we.
const MAX_TOKEN_UNITS: usize = 255;

/// A word of the text: bytes `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Other,
    Letter,
    Digit,
    /// `_`: joins letters and digits, and is no word by itself.
    Joiner,
    /// `:` stands between letters only.
    MidLetter,
    /// `,` `;` stand between digits only.
    MidDigit,
    /// `.` `'` stand between letters or between digits.
    MidBoth,
    /// `#` and `*`, which begin a key cap when something that is not ASCII follows.
    KeyCapBase,
    NotAscii,
}

const CLASSES: [Class; 256] = {
    let mut table = [Class::Other; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = match i as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'_' => Class::Joiner,
            b':' => Class::MidLetter,
            b',' | b';' => Class::MidDigit,
            b'.' | b'\'' => Class::MidBoth,
            b'#' | b'*' => Class::KeyCapBase,
            128..=255 => Class::NotAscii,
            _ => Class::Other,
        };
        i += 1;
    }
    table
};

fn class_at(bytes: &[u8], at: usize) -> Class {
    bytes.get(at).map_or(Class::Other, |b| CLASSES[*b as usize])
}

/// What the ASCII rules found at a place.
enum Scan {
    Word(Span),
    /// Not for ASCII rules: everything from here to the next blank.
    Unicode(usize),
    End,
}

/// The next word at or after `from`, by the rules that concern ASCII.
fn scan(bytes: &[u8], from: usize) -> Scan {
    let mut start = from;
    loop {
        match class_at(bytes, start) {
            Class::Letter | Class::Digit | Class::Joiner => match scan_word(bytes, start) {
                Some((end, true)) => return Scan::Word(Span { start, end }),
                Some((end, false)) => start = end,
                None => return Scan::Unicode(start),
            },
            Class::NotAscii => return Scan::Unicode(start),
            Class::KeyCapBase if class_at(bytes, start + 1) == Class::NotAscii => return Scan::Unicode(start),
            _ if start >= bytes.len() => return Scan::End,
            _ => start += 1,
        }
    }
}

/// The end of the word that begins at `start`, and whether it has a letter or digit; `None` when it meets a byte that
/// is not ASCII.
fn scan_word(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let mut at = start;
    let mut last = Class::Other;
    let mut is_word = false;
    loop {
        let class = class_at(bytes, at);
        match class {
            Class::Letter | Class::Digit => is_word = true,
            Class::Joiner => {}
            Class::NotAscii => return None,
            Class::MidLetter | Class::MidDigit | Class::MidBoth => {
                let next = class_at(bytes, at + 1);
                if next == Class::NotAscii {
                    return None;
                }
                let joins = match class {
                    Class::MidLetter => last == Class::Letter,
                    Class::MidDigit => last == Class::Digit,
                    _ => last == Class::Letter || last == Class::Digit,
                };
                if !joins || next != last {
                    return Some((at, is_word));
                }
            }
            _ => return Some((at, is_word)),
        }
        last = class;
        at += 1;
    }
}

/// Where the blank-separated piece around `from` ends.
fn piece_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|b| b.is_ascii_whitespace()).map_or(bytes.len(), |n| from + n)
}

#[derive(Clone, Default)]
pub struct StandardTokenizer {
    token: Token,
    words: VecDeque<Span>,
}

pub struct StandardStream<'a> {
    text: &'a str,
    at: usize,
    token: &'a mut Token,
    /// Words that the Unicode rules found ahead of time, and the rest of a word that was too long.
    words: &'a mut VecDeque<Span>,
}

impl Tokenizer for StandardTokenizer {
    type TokenStream<'a> = StandardStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> StandardStream<'a> {
        self.token.reset();
        self.words.clear();
        StandardStream { text, at: 0, token: &mut self.token, words: &mut self.words }
    }
}

impl StandardStream<'_> {
    fn next_word(&mut self) -> Option<Span> {
        loop {
            if let Some(span) = self.words.pop_front() {
                return Some(span);
            }
            match scan(self.text.as_bytes(), self.at) {
                Scan::Word(span) => {
                    self.at = span.end;
                    return Some(span);
                }
                Scan::Unicode(start) => {
                    self.at = piece_end(self.text.as_bytes(), start);
                    unicode::words(self.text, start, self.at, self.words);
                }
                Scan::End => return None,
            }
        }
    }

    /// Cuts what is longer than a token may be, as Lucene does: the rest is the next token.
    fn limited(&mut self, span: Span) -> Span {
        if span.end - span.start <= MAX_TOKEN_UNITS {
            return span;
        }
        let mut units = 0;
        for (i, c) in self.text[span.start..span.end].char_indices() {
            units += c.len_utf16();
            if units > MAX_TOKEN_UNITS {
                let cut = span.start + i;
                self.words.push_front(Span { start: cut, end: span.end });
                return Span { start: span.start, end: cut };
            }
        }
        span
    }
}

/// Lower case by single code points, as Lucene has it: what expands (only `İ`) keeps its first.
fn lower_into(word: &str, out: &mut String) {
    out.clear();
    if word.is_ascii() {
        out.push_str(word);
        out.make_ascii_lowercase();
    } else {
        out.extend(word.chars().map(|c| c.to_lowercase().next().unwrap_or(c)));
    }
}

impl TokenStream for StandardStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(span) = self.next_word() else {
            return false;
        };
        let span = self.limited(span);
        self.token.position = self.token.position.wrapping_add(1);
        self.token.offset_from = span.start;
        self.token.offset_to = span.end;
        lower_into(&self.text[span.start..span.end], &mut self.token.text);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

type QeTokenFn = extern "C" fn(arg: *mut c_void, token: *const c_char, len: usize, position: u32, start: u32, end: u32);

/// Text that is not UTF-8 gives the tokens of its part that is.
#[unsafe(no_mangle)]
pub extern "C" fn qe_analyze_standard(text: *const c_char, len: usize, cb: QeTokenFn, arg: *mut c_void) {
    guard_or((), || {
        let bytes = unsafe { ffi::bytes(text, len) };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => unsafe { std::str::from_utf8_unchecked(&bytes[..e.valid_up_to()]) },
        };
        let mut tokenizer = StandardTokenizer::default();
        let mut stream = tokenizer.token_stream(text);
        while stream.advance() {
            let token = stream.token();
            let word = token.text.as_bytes();
            cb(
                arg,
                word.as_ptr().cast(),
                word.len(),
                token.position as u32,
                token.offset_from as u32,
                token.offset_to as u32,
            );
        }
    });
}
