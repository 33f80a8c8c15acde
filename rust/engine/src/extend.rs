// SPDX-License-Identifier: Apache-2.0
//! Growing the schema of an index that has segments.
//!
//! Tantivy's schema is fixed when an index is created, but fields that stand after all others are harmless to old
//! segments, which answer that they have no such terms and columns. Merging alone insists on norms for every text
//! field. So the norms file of each segment is replaced by one that has zeros (no tokens) for the new text fields
//! besides what it had, which the old schema reads as well; then the longer schema is put in place by one rename. A
//! crash between any two steps leaves a valid index.

use std::ffi::c_int;
use std::path::Path;

use tantivy::directory::Directory;
use tantivy::fieldnorm::FieldNormsSerializer;
use tantivy::index::{Segment, SegmentComponent};
use tantivy::schema::{Field, Schema};
use tantivy::{Index, SegmentReader};

use crate::error::{Failure, QeError, Result, guard};
use crate::ffi;
use crate::index::{self, Opened, QeIndex};
use crate::schema::{self, QeFieldDef};

const META: &str = "meta.json";

fn fields_with_norms(schema: &Schema) -> Vec<Field> {
    schema.fields().filter(|(_, entry)| entry.is_indexed() && entry.has_fieldnorms()).map(|(field, _)| field).collect()
}

/// Replaces the norms file of a segment by one that covers `fields`.
fn widen_norms(index: &Index, segment: &Segment, fields: &[Field], dir: &Path) -> Result<()> {
    let reader = SegmentReader::open(segment)?;
    let norms = reader.fieldnorms_readers();
    let path = segment.relative_path(SegmentComponent::FieldNorms);
    let widened = path.with_extension("fieldnorm.new");
    // A file that an interrupted attempt left behind.
    if dir.join(&widened).exists() {
        std::fs::remove_file(dir.join(&widened))?;
    }
    let write = index.directory().open_write(&widened).map_err(tantivy::TantivyError::from)?;
    let mut serializer = FieldNormsSerializer::from_write(write)?;
    for field in fields {
        let ids: Vec<u8> = match norms.get_field(*field)? {
            Some(old) => (0..reader.max_doc()).map(|doc| old.fieldnorm_id(doc)).collect(),
            None => vec![0; reader.max_doc() as usize],
        };
        serializer.serialize_field(*field, &ids)?;
    }
    // Writes Tantivy's footer and syncs the file.
    serializer.close()?;
    std::fs::rename(dir.join(&widened), dir.join(&path))?;
    Ok(())
}

fn grow(index: &Index, schema: Schema, dir: &Path) -> Result<()> {
    let norms = fields_with_norms(&schema);
    if norms.len() > fields_with_norms(&index.schema()).len() {
        for segment in index.searchable_segments()? {
            widen_norms(index, &segment, &norms, dir)?;
        }
        index::sync_dir(dir)?;
    }
    let mut metas = index.load_metas()?;
    metas.schema = schema;
    let text = serde_json::to_vec_pretty(&metas).map_err(|e| Failure::corrupt(format!("{META}: {e}")))?;
    index.directory().atomic_write(Path::new(META), &text)?;
    index::sync_dir(dir)
}

/// Everything durable and at rest, the writer gone, its lock released.
fn close_for_growth(mut opened: Opened, payload: u64) -> Result<Index> {
    let committed = index::commit(&mut opened, payload);
    let closed = opened.close()?;
    committed?;
    Ok(closed)
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_index_extend(
    index: *mut QeIndex,
    fields: *const QeFieldDef,
    n: usize,
    payload: u64,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let index = unsafe { &*index };
        let mut state = index.lock();
        let opened = state.as_ref().ok_or_else(|| index::gone(&index.dir))?;
        let schema = schema::extend(Some(&opened.index.schema()), unsafe { ffi::slice(fields, n) })?;
        let Some(opened) = state.take() else {
            return Err(index::gone(&index.dir));
        };
        let grown = close_for_growth(opened, payload).and_then(|closed| grow(&closed, schema, &index.dir));
        // A fresh directory handle: the old one would go on mapping the norms files that were replaced.
        let reopened = index::open_dir(&index.dir, &index.options, &index.seq_nos)?;
        index.set_view(reopened.view.clone());
        *state = Some(reopened);
        grown
    })
}
