// SPDX-License-Identifier: Apache-2.0
//! Words in text that is not ASCII: the segments of UAX #29 that Lucene's StandardTokenizer keeps, with its three
//! departures from today's Unicode: a colon still joins letters (as up to Unicode 15.0), runs of South East Asian
//! letters stay together, and emoji are words.

use std::collections::VecDeque;

use unicode_segmentation::UnicodeSegmentation;

use super::Span;

/// Appends the words of `text[start..end]`, a piece without blanks.
pub fn words(text: &str, start: usize, end: usize, out: &mut VecDeque<Span>) {
    let mut segments = text[start..end].split_word_bound_indices().peekable();
    let mut last: Option<Last> = None;
    while let Some((at, segment)) = segments.next() {
        let span = Span { start: start + at, end: start + at + segment.len() };
        if segment == ":" {
            let joins = last.is_some_and(|l| l.joins_colon(span.start))
                && segments.peek().is_some_and(|s| begins_with_letter(s.1));
            last = if joins { last.map(|l| Last { colon_at: Some(span.start), ..l }) } else { None };
            continue;
        }
        let kind = kind_of(segment);
        if let (Some(previous), Some(word)) = (last, out.back_mut())
            && previous.takes(kind, span.start)
        {
            word.end = span.end;
        } else if kind != Kind::NoWord {
            out.push_back(span);
        }
        last = (kind != Kind::NoWord).then(|| Last {
            kind,
            end: span.end,
            ends_with_letter: ends_with_letter(segment),
            colon_at: None,
        });
    }
}

/// The word before the one being looked at, when it is the last of `out`.
#[derive(Clone, Copy)]
struct Last {
    kind: Kind,
    end: usize,
    ends_with_letter: bool,
    colon_at: Option<usize>,
}

impl Last {
    fn joins_colon(&self, colon: usize) -> bool {
        self.kind == Kind::Word && self.end == colon && self.ends_with_letter
    }

    fn takes(&self, kind: Kind, start: usize) -> bool {
        match self.colon_at {
            Some(colon) => kind == Kind::Word && colon + 1 == start,
            None => kind == Kind::SouthEastAsian && self.kind == kind && self.end == start,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NoWord,
    /// Letters and digits that the word-break rules joined.
    Word,
    /// One ideograph or hiragana: a letter to no rule.
    Single,
    SouthEastAsian,
    Emoji,
}

fn kind_of(segment: &str) -> Kind {
    let Some(first) = segment.chars().next() else {
        return Kind::NoWord;
    };
    if is_emoji_sequence(segment) {
        Kind::Emoji
    } else if is_south_east_asian(first) {
        Kind::SouthEastAsian
    } else if is_ideograph_or_hiragana(first) {
        Kind::Single
    } else if segment.chars().any(|c| c.is_alphabetic() || is_decimal_digit(c)) {
        Kind::Word
    } else {
        Kind::NoWord
    }
}

/// A letter of the word-break rules (ALetter or Hebrew_Letter).
fn is_rule_letter(c: char) -> bool {
    c.is_alphabetic() && !is_ideograph_or_hiragana(c) && !is_south_east_asian(c) && !is_katakana(c)
}

fn begins_with_letter(segment: &str) -> bool {
    segment.chars().next().is_some_and(is_rule_letter)
}

/// Combining marks count with the letter that they follow.
fn ends_with_letter(segment: &str) -> bool {
    segment.chars().rev().find(|c| c.is_alphanumeric() || *c == '_').is_some_and(is_rule_letter)
}

type Range = (u32, u32);

fn is_in(table: &[Range], c: char) -> bool {
    let c = c as u32;
    let i = table.partition_point(|r| r.1 < c);
    table.get(i).is_some_and(|r| r.0 <= c)
}

/// Line_Break=Complex_Context: Thai, Lao, Myanmar, Tai Le, New Tai Lue, Khmer, Tai Tham, Ahom and their extensions; no
/// digits.
const SOUTH_EAST_ASIAN: &[Range] = &[
    (0x0E01, 0x0E3A),
    (0x0E40, 0x0E4E),
    (0x0E81, 0x0ECE),
    (0x0EDC, 0x0EDF),
    (0x1000, 0x103F),
    (0x1050, 0x108F),
    (0x109A, 0x109F),
    (0x1780, 0x17D3),
    (0x17D7, 0x17D7),
    (0x17DC, 0x17DD),
    (0x1950, 0x19C9),
    (0x19DA, 0x19DA),
    (0x19DE, 0x19DF),
    (0x1A20, 0x1A7C),
    (0x1AA0, 0x1AAD),
    (0xA9E0, 0xA9EF),
    (0xA9FA, 0xA9FE),
    (0xAA60, 0xAAC2),
    (0xAADB, 0xAADF),
    (0x11700, 0x1172B),
];

fn is_south_east_asian(c: char) -> bool {
    is_in(SOUTH_EAST_ASIAN, c)
}

/// Script=Han and Script=Hiragana.
const IDEOGRAPHS_AND_HIRAGANA: &[Range] = &[
    (0x2E80, 0x2FD5),
    (0x3005, 0x3005),
    (0x3007, 0x3007),
    (0x3021, 0x3029),
    (0x3038, 0x303B),
    (0x3041, 0x3096),
    (0x309D, 0x309F),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAD9),
    (0x16FE2, 0x16FE3),
    (0x16FF0, 0x16FF1),
    (0x1B001, 0x1B11F),
    (0x1B132, 0x1B132),
    (0x1B150, 0x1B152),
    (0x1F200, 0x1F200),
    (0x20000, 0x3FFFD),
];

fn is_ideograph_or_hiragana(c: char) -> bool {
    is_in(IDEOGRAPHS_AND_HIRAGANA, c)
}

/// Word_Break=Katakana.
const KATAKANA: &[Range] = &[
    (0x3031, 0x3035),
    (0x309B, 0x309C),
    (0x30A0, 0x30FA),
    (0x30FC, 0x30FF),
    (0x31F0, 0x31FF),
    (0x32D0, 0x32FE),
    (0x3300, 0x3357),
    (0xFF66, 0xFF9D),
    (0x1AFF0, 0x1AFFE),
    (0x1B000, 0x1B000),
    (0x1B120, 0x1B122),
    (0x1B155, 0x1B155),
    (0x1B164, 0x1B167),
];

fn is_katakana(c: char) -> bool {
    is_in(KATAKANA, c)
}

/// The zeros of the decimal digits (General_Category=Nd); each begins a run of ten.
const ZEROS: &[u32] = &[
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
    0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0,
    0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50,
    0x11DA0, 0x11F50, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0,
    0x1E4F0, 0x1E950, 0x1FBF0,
];

fn is_decimal_digit(c: char) -> bool {
    let c = c as u32;
    let i = ZEROS.partition_point(|zero| *zero <= c);
    i > 0 && c - ZEROS[i - 1] < 10
}

/// Extended_Pictographic and the emoji modifiers.
const PICTOGRAPHS: &[Range] = &[
    (0x00A9, 0x00A9),
    (0x00AE, 0x00AE),
    (0x203C, 0x203C),
    (0x2049, 0x2049),
    (0x2122, 0x2122),
    (0x2139, 0x2139),
    (0x2194, 0x2199),
    (0x21A9, 0x21AA),
    (0x231A, 0x231B),
    (0x2328, 0x2328),
    (0x2388, 0x2388),
    (0x23CF, 0x23CF),
    (0x23E9, 0x23F3),
    (0x23F8, 0x23FA),
    (0x24C2, 0x24C2),
    (0x25AA, 0x25AB),
    (0x25B6, 0x25B6),
    (0x25C0, 0x25C0),
    (0x25FB, 0x25FE),
    (0x2600, 0x2605),
    (0x2607, 0x2612),
    (0x2614, 0x2685),
    (0x2690, 0x2705),
    (0x2708, 0x2712),
    (0x2714, 0x2714),
    (0x2716, 0x2716),
    (0x271D, 0x271D),
    (0x2721, 0x2721),
    (0x2728, 0x2728),
    (0x2733, 0x2734),
    (0x2744, 0x2744),
    (0x2747, 0x2747),
    (0x274C, 0x274C),
    (0x274E, 0x274E),
    (0x2753, 0x2755),
    (0x2757, 0x2757),
    (0x2763, 0x2767),
    (0x2795, 0x2797),
    (0x27A1, 0x27A1),
    (0x27B0, 0x27B0),
    (0x27BF, 0x27BF),
    (0x2934, 0x2935),
    (0x2B05, 0x2B07),
    (0x2B1B, 0x2B1C),
    (0x2B50, 0x2B50),
    (0x2B55, 0x2B55),
    (0x3030, 0x3030),
    (0x303D, 0x303D),
    (0x3297, 0x3297),
    (0x3299, 0x3299),
    (0x1F000, 0x1F0FF),
    (0x1F10D, 0x1F10F),
    (0x1F12F, 0x1F12F),
    (0x1F16C, 0x1F171),
    (0x1F17E, 0x1F17F),
    (0x1F18E, 0x1F18E),
    (0x1F191, 0x1F19A),
    (0x1F1AD, 0x1F1E5),
    (0x1F201, 0x1F20F),
    (0x1F21A, 0x1F21A),
    (0x1F22F, 0x1F22F),
    (0x1F232, 0x1F23A),
    (0x1F23C, 0x1F23F),
    (0x1F249, 0x1FAFF),
    (0x1FC00, 0x1FFFD),
];

const REGIONAL_INDICATORS: Range = (0x1F1E6, 0x1F1FF);
const KEY_CAP: char = '\u{20E3}';

fn is_emoji_sequence(segment: &str) -> bool {
    let is_regional = |c: &char| (REGIONAL_INDICATORS.0..=REGIONAL_INDICATORS.1).contains(&(*c as u32));
    let first = segment.chars().next();
    match first {
        Some('0'..='9' | '#' | '*') => segment.ends_with(KEY_CAP),
        Some(c) if is_regional(&c) => segment.chars().filter(is_regional).count() == 2,
        Some(c) => is_in(PICTOGRAPHS, c),
        None => false,
    }
}
