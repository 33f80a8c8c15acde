// SPDX-License-Identifier: Apache-2.0
//! Field definitions of C and their Tantivy schema.
//!
//! The first four Tantivy fields are the index's own; field id `n` of C is Tantivy's field `n + OWN_FIELDS`. A Tantivy
//! name is a letter for the kind, a colon, and the path: Tantivy has no type that tells a date in milliseconds from a
//! long, and the prefix keeps the paths of users apart from the own fields.

use std::ffi::{c_char, c_int};

use tantivy::schema::{
    BytesOptions, Field, FieldEntry, IndexRecordOption, NumericOptions, Schema, SchemaBuilder, TextFieldIndexing,
    TextOptions,
};
use tantivy::tokenizer::TokenizerManager;

use crate::analysis::StandardTokenizer;
use crate::error::{Failure, Result};
use crate::ffi;

pub const ID: Field = Field::from_field_id(0);
pub const SOURCE: Field = Field::from_field_id(1);
pub const SEQ_NO: &str = "_seq_no";
pub const VERSION: &str = "_version";
pub const SEQ_NO_FIELD: Field = Field::from_field_id(2);
pub const VERSION_FIELD: Field = Field::from_field_id(3);
const OWN_FIELDS: u32 = 4;

const STANDARD: &str = "standard";
const RAW: &str = "raw";
const MAX_NAME_BYTES: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Keyword,
    I64,
    F64,
    Bool,
    Date,
}

/// In the order of `qe_kind`; the letter stands first in Tantivy's field names.
const KINDS: [(Kind, char); 6] =
    [(Kind::Text, 't'), (Kind::Keyword, 'k'), (Kind::I64, 'i'), (Kind::F64, 'f'), (Kind::Bool, 'b'), (Kind::Date, 'd')];

impl Kind {
    pub fn from_c(kind: c_int) -> Option<Kind> {
        KINDS.get(usize::try_from(kind).ok()?).map(|k| k.0)
    }

    pub fn to_c(self) -> c_int {
        self as c_int
    }

    fn letter(self) -> char {
        KINDS[self as usize].1
    }

    fn from_letter(letter: char) -> Option<Kind> {
        KINDS.iter().find(|k| k.1 == letter).map(|k| k.0)
    }
}

/// `qe_field_def` of engine.h. The kind is an integer here because C may put any value into its enum.
#[repr(C)]
pub struct QeFieldDef {
    name: *const c_char,
    name_len: usize,
    kind: c_int,
    indexed: bool,
    column: bool,
}

#[derive(Clone, Debug)]
pub struct FieldInfo {
    pub path: String,
    pub kind: Kind,
    pub is_indexed: bool,
    pub has_column: bool,
    pub field: Field,
    /// Tantivy's name of field and column.
    pub column: String,
}

pub fn tantivy_field(id: u32) -> Field {
    Field::from_field_id(id + OWN_FIELDS)
}

fn own_fields() -> SchemaBuilder {
    let mut builder = Schema::builder();
    builder.add_bytes_field("_id", BytesOptions::default().set_indexed().set_stored());
    builder.add_bytes_field("_source", BytesOptions::default().set_stored());
    builder.add_i64_field(SEQ_NO, NumericOptions::default().set_fast());
    builder.add_i64_field(VERSION, NumericOptions::default().set_fast());
    builder
}

fn entry(name: String, kind: Kind, indexed: bool, column: bool) -> FieldEntry {
    let numeric = || {
        let mut options = NumericOptions::default();
        if indexed && matches!(kind, Kind::I64 | Kind::Bool) {
            options = options.set_indexed();
        }
        if column {
            options = options.set_fast();
        }
        options
    };
    match kind {
        Kind::Text | Kind::Keyword => FieldEntry::new_text(name, text_options(kind, indexed, column)),
        Kind::I64 | Kind::Date => FieldEntry::new_i64(name, numeric()),
        Kind::F64 => FieldEntry::new_f64(name, numeric()),
        Kind::Bool => FieldEntry::new_bool(name, numeric()),
    }
}

fn text_options(kind: Kind, indexed: bool, column: bool) -> TextOptions {
    let is_text = kind == Kind::Text;
    let mut options = TextOptions::default();
    if indexed {
        let (tokenizer, record) = if is_text {
            (STANDARD, IndexRecordOption::WithFreqsAndPositions)
        } else {
            (RAW, IndexRecordOption::Basic)
        };
        options = options.set_indexing_options(
            TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(record).set_fieldnorms(is_text),
        );
    }
    if column && !is_text {
        options = options.set_fast(RAW);
    }
    options
}

/// The schema of `old` (or of an index without fields) with these definitions at its end.
pub fn extend(old: Option<&Schema>, defs: &[QeFieldDef]) -> Result<Schema> {
    let mut builder = match old {
        None => own_fields(),
        Some(schema) => {
            let mut builder = Schema::builder();
            for (_, entry) in schema.fields() {
                builder.add_field(entry.clone());
            }
            builder
        }
    };
    let mut paths: std::collections::HashSet<String> =
        old.map(fields_of).transpose()?.unwrap_or_default().into_iter().map(|f| f.path).collect();
    for def in defs {
        // SAFETY: the caller's definition names `name_len` readable bytes.
        let path = unsafe { ffi::text(def.name, def.name_len, "a field name") }?;
        let kind = Kind::from_c(def.kind)
            .ok_or_else(|| Failure::invalid(format!("field '{path}': unknown kind {}", def.kind)))?;
        if path.is_empty() || path.len() > MAX_NAME_BYTES || path.chars().any(char::is_control) {
            return Err(Failure::invalid(format!(
                "field name '{}' is empty, longer than {MAX_NAME_BYTES} bytes, or has a control character",
                path.escape_debug().take(100).collect::<String>()
            )));
        }
        if !paths.insert(path.to_string()) {
            return Err(Failure::invalid(format!("field '{path}' is defined twice")));
        }
        builder.add_field(entry(format!("{}:{path}", kind.letter()), kind, def.indexed, def.column));
    }
    Ok(builder.build())
}

/// The fields of users, by their id.
pub fn fields_of(schema: &Schema) -> Result<Vec<FieldInfo>> {
    let mut fields = Vec::new();
    for (field, entry) in schema.fields().skip(OWN_FIELDS as usize) {
        let mut parts = entry.name().splitn(2, ':');
        let kind = parts.next().and_then(|s| s.chars().next()).and_then(Kind::from_letter);
        let (Some(kind), Some(path)) = (kind, parts.next()) else {
            return Err(Failure::corrupt(format!(
                "field '{}' of the index has a name of another program's",
                entry.name()
            )));
        };
        fields.push(FieldInfo {
            path: path.to_string(),
            kind,
            is_indexed: entry.is_indexed(),
            has_column: entry.is_fast(),
            field,
            column: entry.name().to_string(),
        });
    }
    Ok(fields)
}

pub fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(STANDARD, StandardTokenizer::default());
    manager
}
