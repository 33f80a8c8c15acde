// SPDX-License-Identifier: Apache-2.0
//! The writing side: create, open, add, delete, commit, close.
//!
//! One indexing thread, so that within a segment documents stand in the order of `_seq_no` and segments do not overlap
//! in it; merges keep to that (merge.rs). Functions take `&QeIndex` and lock inside: a refresh may open a searcher
//! while a write runs.

use std::ffi::{c_char, c_int};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use tantivy::directory::{Directory, DirectoryLock, Lock, MmapDirectory};
use tantivy::indexer::IndexWriterOptions;
use tantivy::{Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher, TantivyError, Term};

use crate::bm25::FieldStats;
use crate::decoded::DecodedColumns;
use crate::document::QeDoc;
use crate::error::{Failure, QeError, Result, guard, guard_or};
use crate::ffi;
use crate::merge::{Merger, SeqNos};
use crate::schema::{self, FieldInfo, QeFieldDef};

const MIN_WRITER_MEMORY: usize = 15 << 20;
const MAX_WRITER_MEMORY: usize = 4_000_000_000;
const MERGE_THREADS: usize = 2;
/// How often a forced merge looks whether it is done; the lock is free in between.
const MERGE_POLL: Duration = Duration::from_millis(5);
/// A commit drops a segment when its last document was deleted, and a merge that has it under way fails then.
const MERGE_ATTEMPTS: usize = 5;
/// Held while an index is open. Tantivy's own lock comes and goes with its writer.
const LOCK_FILE: &str = ".quidditch.lock";
const DEFAULT_SEGMENTS_PER_LEVEL: u32 = 8;
const STORE_CACHE_BLOCKS: usize = 64;
/// Longer terms do not fit Tantivy's dictionary.
const MAX_ID_BYTES: usize = 32_766;

/// `qe_index_options` of engine.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct QeIndexOptions {
    writer_memory_bytes: usize,
    merge_max_segments_per_level: u32,
}

impl QeIndexOptions {
    pub fn merge_factor(&self) -> usize {
        match self.merge_max_segments_per_level {
            0 => DEFAULT_SEGMENTS_PER_LEVEL as usize,
            n => (n as usize).max(2),
        }
    }
}

/// What depends on the schema and is replaced when it grows.
pub struct Opened {
    pub index: Index,
    pub view: View,
    pub payload: u64,
    options: QeIndexOptions,
    /// There while something is written: its threads and buffers are too dear for an index that rests.
    writer: Option<IndexWriter>,
    /// Something was added or deleted since the last commit.
    is_changed: bool,
    merger: Merger,
}

impl Opened {
    fn writer(&mut self) -> Result<&mut IndexWriter> {
        if self.writer.is_none() {
            let memory = self.options.writer_memory_bytes.clamp(MIN_WRITER_MEMORY, MAX_WRITER_MEMORY);
            let options = IndexWriterOptions::builder()
                .num_worker_threads(1)
                .num_merge_threads(MERGE_THREADS)
                .memory_budget_per_thread(memory)
                .build();
            let writer = self.index.writer_with_options(options)?;
            Merger::take_over(&writer);
            // Tantivy counts on from the number of the last commit. An operation with that very number would pass for
            // a part of it, and a deletion be lost in a merge: use it up.
            writer.run(std::iter::empty())?;
            self.writer = Some(writer);
        }
        self.writer.as_mut().ok_or_else(|| Failure::invalid("the index has no writer"))
    }

    /// A call of the merger that starts merges.
    fn merge(&mut self, start: impl FnOnce(&mut Merger, &Index, &mut IndexWriter) -> Result<()>) -> Result<()> {
        self.writer()?;
        match &mut self.writer {
            Some(writer) => start(&mut self.merger, &self.index, writer),
            None => Ok(()),
        }
    }

    /// False, and nothing is changed, while a merge runs or something is not committed.
    fn rest(&mut self) -> Result<bool> {
        if self.is_changed || self.merger.is_busy() {
            return Ok(false);
        }
        self.writer.take().map_or(Ok(()), IndexWriter::wait_merging_threads)?;
        Ok(true)
    }

    /// Waits for merges.
    pub fn close(mut self) -> Result<Index> {
        self.merger.wait();
        self.writer.take().map_or(Ok(()), IndexWriter::wait_merging_threads)?;
        Ok(self.index)
    }
}

/// What a searcher is made from.
#[derive(Clone)]
pub struct View {
    pub reader: IndexReader,
    pub fields: Arc<Vec<FieldInfo>>,
}

pub struct QeIndex {
    pub dir: PathBuf,
    pub options: QeIndexOptions,
    /// `None` after a failed reopening: nothing more can be done with the index.
    state: Mutex<Option<Opened>>,
    /// A copy of the state's, under a lock of its own: nobody holds it while writing, committing or merging.
    view: Mutex<View>,
    pub stats: Arc<FieldStats>,
    pub decoded: Arc<DecodedColumns>,
    pub seq_nos: Arc<SeqNos>,
    _lock: DirectoryLock,
}

pub const NO_PAYLOAD: u64 = u64::MAX;

impl QeIndex {
    pub fn lock(&self) -> MutexGuard<'_, Option<Opened>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A snapshot of the last commit. One at a time: of two threads that reload, the slower would bring an older one
    /// back.
    pub fn snapshot(&self) -> Result<(Searcher, Arc<Vec<FieldInfo>>)> {
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.reader.reload()?;
        Ok((view.reader.searcher(), Arc::clone(&view.fields)))
    }

    pub fn set_view(&self, view: View) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }

    pub fn with<T>(&self, body: impl FnOnce(&mut Opened) -> Result<T>) -> Result<T> {
        body(self.lock().as_mut().ok_or_else(|| gone(&self.dir))?)
    }

    /// Tries `step` again and again, with others in between, until it says true.
    fn until(&self, mut step: impl FnMut(&mut Opened) -> Result<bool>) -> Result<()> {
        while !self.with(&mut step)? {
            sleep(MERGE_POLL);
        }
        Ok(())
    }
}

pub fn gone(dir: &Path) -> Failure {
    Failure::new(
        crate::error::QE_EIO,
        format!("index {}: could not be reopened after a failure; close it and open it again", dir.display()),
    )
}

/// Opens an index directory. A writer comes with the first write.
pub fn open_dir(dir: &Path, options: &QeIndexOptions, seq_nos: &Arc<SeqNos>) -> Result<Opened> {
    let mut index = Index::open(MmapDirectory::open(dir).map_err(tantivy::TantivyError::from)?)?;
    index.set_tokenizers(schema::tokenizers());
    let fields = Arc::new(schema::fields_of(&index.schema())?);
    let payload = match index.load_metas()?.payload {
        None => NO_PAYLOAD,
        Some(text) => text.parse().map_err(|_| {
            Failure::corrupt(format!("index {}: commit payload '{text}' is not a number", dir.display()))
        })?,
    };
    let reader = index
        .reader_builder()
        .reload_policy(ReloadPolicy::Manual)
        .doc_store_cache_num_blocks(STORE_CACHE_BLOCKS)
        .try_into()?;
    let merger = Merger::new(options.merge_factor(), Arc::clone(seq_nos));
    let view = View { reader, fields };
    Ok(Opened { index, view, payload, options: *options, writer: None, is_changed: false, merger })
}

/// Commits; then starts the merges that the new segments call for.
pub fn commit(opened: &mut Opened, payload: u64) -> Result<()> {
    let mut prepared = opened.writer()?.prepare_commit()?;
    prepared.set_payload(&payload.to_string());
    prepared.commit()?;
    // Tantivy puts the new meta.json in place by a rename, which only this makes durable; the caller may now throw away
    // the log of what was committed.
    opened.index.directory().sync_directory()?;
    opened.payload = payload;
    opened.is_changed = false;
    // Whatever keeps merges from being started, the commit stands; they are tried again after the next one.
    let _ = opened.merge(Merger::start_due);
    Ok(())
}

fn path_of(dir: *const c_char, len: usize) -> Result<PathBuf> {
    Ok(PathBuf::from(unsafe { ffi::text(dir, len, "the index directory") }?))
}

/// Renames and new files in `dir` survive a power loss afterwards.
pub fn sync_dir(dir: &Path) -> Result<()> {
    Ok(File::open(dir)?.sync_all()?)
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_index_create(
    dir: *const c_char,
    dir_len: usize,
    fields: *const QeFieldDef,
    n: usize,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let dir = path_of(dir, dir_len)?;
        let schema = schema::extend(None, unsafe { ffi::slice(fields, n) })?;
        std::fs::create_dir_all(&dir)?;
        let directory = MmapDirectory::open(&dir).map_err(tantivy::TantivyError::from)?;
        if Index::exists(&directory).map_err(tantivy::TantivyError::from)? {
            return Err(Failure::invalid(format!("directory {} holds an index already", dir.display())));
        }
        let index = Index::create(directory, schema, IndexSettings::default())?;
        index.directory().sync_directory()?;
        // The directory's own name is an entry of its parent's.
        dir.canonicalize()?.parent().map_or(Ok(()), sync_dir)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_index_open(
    dir: *const c_char,
    dir_len: usize,
    options: *const QeIndexOptions,
    out: *mut *mut QeIndex,
    fields_in_index: *mut usize,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let dir = path_of(dir, dir_len)?;
        let options = unsafe { options.as_ref() }
            .copied()
            .unwrap_or(QeIndexOptions { writer_memory_bytes: MIN_WRITER_MEMORY, merge_max_segments_per_level: 0 });
        let lock = Lock { filepath: PathBuf::from(LOCK_FILE), is_blocking: false };
        let lock = MmapDirectory::open(&dir)
            .map_err(TantivyError::from)?
            .acquire_lock(&lock)
            .map_err(|e| TantivyError::LockFailure(e, None))?;
        let seq_nos = Arc::new(SeqNos::default());
        let opened = open_dir(&dir, &options, &seq_nos)?;
        let n = opened.view.fields.len();
        let view = Mutex::new(opened.view.clone());
        let index = Box::new(QeIndex {
            dir,
            options,
            state: Mutex::new(Some(opened)),
            view,
            stats: Arc::default(),
            decoded: Arc::default(),
            seq_nos,
            _lock: lock,
        });
        unsafe {
            if let Some(count) = fields_in_index.as_mut() {
                *count = n;
            }
            *out = Box::into_raw(index);
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_index_close(index: *mut QeIndex) {
    guard_or((), || {
        if index.is_null() {
            return;
        }
        let index = unsafe { Box::from_raw(index) };
        if let Some(opened) = index.lock().take() {
            // Failing merges change nothing: the segments before the merge stay.
            let _ = opened.close();
        }
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_index_add(
    index: *mut QeIndex,
    doc: *mut QeDoc,
    id: *const c_char,
    id_len: usize,
    seq_no: i64,
    version: i64,
    source: *const c_char,
    source_len: usize,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        if doc.is_null() {
            return Err(Failure::invalid("no document was given"));
        }
        let doc = unsafe { Box::from_raw(doc) };
        let index = unsafe { &*index };
        let (id, source) = unsafe { (id_bytes(id, id_len)?, ffi::bytes(source, source_len)) };
        index.with(|opened| {
            let mut doc = doc.into_checked(&opened.view.fields)?;
            doc.add_bytes(schema::ID, id);
            doc.add_bytes(schema::SOURCE, source);
            doc.add_i64(schema::SEQ_NO_FIELD, seq_no);
            doc.add_i64(schema::VERSION_FIELD, version);
            opened.is_changed = true;
            opened.writer()?.add_document(doc)?;
            Ok(())
        })
    })
}

unsafe fn id_bytes<'a>(id: *const c_char, len: usize) -> Result<&'a [u8]> {
    if len == 0 || len > MAX_ID_BYTES {
        return Err(Failure::invalid(format!(
            "a document id has {len} bytes; it must have between 1 and {MAX_ID_BYTES}"
        )));
    }
    Ok(unsafe { ffi::bytes(id, len) })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_index_delete(index: *mut QeIndex, id: *const c_char, id_len: usize, err: *mut QeError) -> c_int {
    guard(err, || {
        let index = unsafe { &*index };
        let id = unsafe { id_bytes(id, id_len) }?;
        index.with(|opened| {
            opened.is_changed = true;
            opened.writer()?.delete_term(Term::from_field_bytes(schema::ID, id));
            Ok(())
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_index_commit(index: *mut QeIndex, payload: u64, err: *mut QeError) -> c_int {
    guard(err, || unsafe { &*index }.with(|opened| commit(opened, payload)))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_index_payload(index: *const QeIndex) -> u64 {
    guard_or(NO_PAYLOAD, || unsafe { &*index }.lock().as_ref().map_or(NO_PAYLOAD, |opened| opened.payload))
}

fn force_merge(index: &QeIndex, max_segments: usize) -> Result<()> {
    index.until(|opened| {
        let may_start = !opened.merger.is_busy();
        if may_start {
            opened.merge(|merger, index, writer| merger.start_forced(index, writer, max_segments))?;
        }
        Ok(may_start)
    })?;
    index.until(|opened| Ok(!opened.merger.is_forcing()))?;
    index.with(|opened| opened.merger.take_failure())
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_index_force_merge(index: *mut QeIndex, max_segments: u32, err: *mut QeError) -> c_int {
    guard(err, || {
        let max_segments = (max_segments as usize).max(1);
        let index = unsafe { &*index };
        let mut outcome = Ok(());
        for _ in 0..MERGE_ATTEMPTS {
            outcome = force_merge(index, max_segments);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_index_rest(index: *mut QeIndex, is_resting: *mut bool, err: *mut QeError) -> c_int {
    guard(err, || {
        let rests = unsafe { &*index }.with(Opened::rest)?;
        unsafe { *is_resting = rests };
        Ok(())
    })
}
