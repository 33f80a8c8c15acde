// SPDX-License-Identifier: Apache-2.0
//! `qe_query_blocks`: a query whose documents pass through C in blocks.
//!
//! Two ways of driving it. As the root, or right under another such query, it is pushed: the inner plan runs to its
//! end and hands over its documents block by block ([`BlocksWeight::drive`]). Anywhere else it is
//! pulled: a scorer that keeps one block of survivors ahead ([`BlocksScorer`]). Documents that are deleted never reach
//! C, in either way.

use std::cmp::Ordering;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tantivy::fastfield::AliveBitSet;
use tantivy::index::SegmentReader;
use tantivy::query::{Scorer, Weight as _};
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, DocSet, Score, SeekDangerResult, TERMINATED, TantivyError};

use crate::error::stop_search;
use crate::ffi::Shared;
use crate::gather::{BLOCK_DOCS, Sink};
use crate::plan::Plan;
use crate::searcher::QeSearcher;

const FIRST_BLOCK_DOCS: usize = 32;
const BLOCK_GROWTH: usize = 4;
const BLOCK_STOP: usize = usize::MAX;
/// How much dearer than its inner query a document is assumed to be, when an intersection orders its clauses.
const COST_FACTOR: u64 = 32;

/// `qe_block_fns` of engine.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct QeBlockFns {
    open: extern "C" fn(arg: *mut c_void, s: *const QeSearcher, segment: usize, wants_scores: bool) -> *mut c_void,
    block: extern "C" fn(state: *mut c_void, n: usize, docs: *mut u32, scores: *mut f32) -> usize,
    close: extern "C" fn(state: *mut c_void),
    release: Option<extern "C" fn(arg: *mut c_void)>,
}

/// The callbacks and their argument, which C takes back when the last user is gone.
pub struct Callbacks {
    fns: QeBlockFns,
    arg: Shared<c_void>,
}

impl Callbacks {
    pub fn new(fns: QeBlockFns, arg: *mut c_void) -> Callbacks {
        Callbacks { fns, arg: Shared(arg) }
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        if let Some(release) = self.fns.release {
            release(self.arg.0.cast_mut());
        }
    }
}

/// What C opened for one segment.
struct State {
    callbacks: Arc<Callbacks>,
    state: Shared<c_void>,
    stopped: Arc<AtomicBool>,
}

impl State {
    /// Hands a block to C; `None` once the search is to end. The survivors stand at the front.
    fn run(&self, docs: &mut [DocId], scores: &mut [Score]) -> Option<usize> {
        debug_assert_eq!(docs.len(), scores.len());
        if self.stopped.load(Relaxed) {
            return None;
        }
        let left =
            (self.callbacks.fns.block)(self.state.0.cast_mut(), docs.len(), docs.as_mut_ptr(), scores.as_mut_ptr());
        if left == BLOCK_STOP {
            self.stopped.store(true, Relaxed);
            return None;
        }
        Some(left.min(docs.len()))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        (self.callbacks.fns.close)(self.state.0.cast_mut());
    }
}

pub struct BlocksWeight {
    pub inner: Box<Plan>,
    pub callbacks: Arc<Callbacks>,
    pub searcher: Shared<QeSearcher>,
    pub stopped: Arc<AtomicBool>,
    /// The inner plan scores: the callbacks asked for it and somebody looks at the result.
    pub reads_scores: bool,
    pub wants_scores: bool,
    pub boost: Score,
}

impl BlocksWeight {
    /// `None` when C refused, which ends the search.
    fn open(&self, reader: &SegmentReader) -> tantivy::Result<Option<State>> {
        // SAFETY: engine.h has the searcher outlive its weights.
        let searcher = unsafe { &*self.searcher.0 };
        let segment = searcher
            .segment_of(reader)
            .ok_or_else(|| TantivyError::InternalError("a segment of another searcher".to_string()))?;
        if self.stopped.load(Relaxed) {
            return Ok(None);
        }
        let state = (self.callbacks.fns.open)(self.callbacks.arg.0.cast_mut(), searcher, segment, self.wants_scores);
        if state.is_null() {
            self.stopped.store(true, Relaxed);
            return Ok(None);
        }
        Ok(Some(State {
            callbacks: Arc::clone(&self.callbacks),
            state: Shared(state),
            stopped: Arc::clone(&self.stopped),
        }))
    }

    /// Pushes every live document of a segment through the blocks and the survivors into `sink`. Unwinds when C stops
    /// it.
    pub fn drive(&self, reader: &SegmentReader, sink: Sink) -> tantivy::Result<()> {
        let Some(state) = self.open(reader)? else { stop_search() };
        self.inner.drive(reader, &mut |docs, scores| {
            let Some(left) = state.run(docs, scores) else { stop_search() };
            let (docs, scores) = (&mut docs[..left], &mut scores[..left]);
            if self.boost != 1.0 {
                scores.iter_mut().for_each(|score| *score *= self.boost);
            }
            if left > 0 {
                sink(docs, scores);
            }
        })
    }

    fn unstarted(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<BlocksScorer> {
        // The inner scorer first: C is not asked to open a state that an error would waste.
        let inner = self.inner.scorer(reader, 1.0)?;
        let state = self.open(reader)?;
        Ok(BlocksScorer {
            inner,
            inner_in_danger: false,
            state,
            alive: reader.alive_bitset().cloned(),
            reads_scores: self.reads_scores,
            boost: boost * self.boost,
            docs: Vec::with_capacity(FIRST_BLOCK_DOCS),
            scores: Vec::with_capacity(FIRST_BLOCK_DOCS),
            at: 0,
            next_block: FIRST_BLOCK_DOCS,
        })
    }
}

impl BlocksWeight {
    pub fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut scorer = self.unstarted(reader, boost)?;
        scorer.refill();
        Ok(Box::new(scorer))
    }

    pub fn scorer_danger(
        &self,
        reader: &SegmentReader,
        target: DocId,
        boost: Score,
    ) -> tantivy::Result<(SeekDangerResult, Box<dyn Scorer>)> {
        let mut scorer = self.unstarted(reader, boost)?;
        let result = scorer.seek_danger(target);
        Ok((result, Box::new(scorer)))
    }
}

/// The pulled way. `docs[at..]` are survivors not yet consumed; the inner scorer stands on the first document after the
/// block, unless it is in danger: then only `seek_danger` with a greater target may follow, for it as for this scorer.
struct BlocksScorer {
    inner: Box<dyn Scorer>,
    inner_in_danger: bool,
    /// `None` once C stopped the search.
    state: Option<State>,
    alive: Option<AliveBitSet>,
    reads_scores: bool,
    boost: Score,
    docs: Vec<DocId>,
    scores: Vec<Score>,
    at: usize,
    next_block: usize,
}

impl BlocksScorer {
    /// Computes blocks until one has a survivor. The next one is greater: who has come so far may well go on.
    fn refill(&mut self) -> DocId {
        loop {
            self.at = 0;
            self.pull();
            if self.docs.is_empty() {
                return TERMINATED;
            }
            let left = self.state.as_ref().and_then(|state| state.run(&mut self.docs, &mut self.scores));
            let Some(left) = left else {
                self.state = None;
                self.docs.clear();
                return TERMINATED;
            };
            self.docs.truncate(left);
            self.scores.truncate(left);
            self.next_block = (self.next_block * BLOCK_GROWTH).min(BLOCK_DOCS);
            if left > 0 {
                return self.docs[0];
            }
        }
    }

    /// Takes the next live documents from the inner scorer.
    fn pull(&mut self) {
        self.docs.clear();
        self.scores.clear();
        if self.state.is_none() {
            return;
        }
        let mut doc = self.inner.doc();
        while doc != TERMINATED && self.docs.len() < self.next_block {
            if self.alive.as_ref().is_none_or(|alive| alive.is_alive(doc)) {
                self.docs.push(doc);
                self.scores.push(if self.reads_scores { self.inner.score() } else { 1.0 });
            }
            doc = self.inner.advance();
        }
    }

    /// Moves within the block; `None` when the target is past it.
    fn seek_in_block(&mut self, target: DocId) -> Option<DocId> {
        if self.docs.last().is_none_or(|last| *last < target) {
            return None;
        }
        self.at += self.docs[self.at..].partition_point(|doc| *doc < target);
        Some(self.docs[self.at])
    }

    fn drop_block(&mut self) {
        self.docs.clear();
        self.scores.clear();
        self.at = 0;
        self.next_block = FIRST_BLOCK_DOCS;
    }
}

impl DocSet for BlocksScorer {
    fn advance(&mut self) -> DocId {
        if self.docs.is_empty() {
            return TERMINATED;
        }
        self.at += 1;
        match self.docs.get(self.at) {
            Some(doc) => *doc,
            None => self.refill(),
        }
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.docs.is_empty() {
            return TERMINATED;
        }
        if let Some(doc) = self.seek_in_block(target) {
            return doc;
        }
        self.drop_block();
        if self.inner.doc() < target {
            self.inner.seek(target);
        }
        self.refill()
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        if target >= TERMINATED {
            return SeekDangerResult::SeekLowerBound(target);
        }
        let found =
            |doc: DocId| if doc == target { SeekDangerResult::Found } else { SeekDangerResult::SeekLowerBound(doc) };
        if let Some(doc) = self.seek_in_block(target) {
            return found(doc);
        }
        self.drop_block();
        // Only a document that the inner query has is worth a call of C; else a lower bound is enough.
        let reached = if self.inner_in_danger { Ordering::Less } else { self.inner.doc().cmp(&target) };
        match reached {
            Ordering::Equal => {}
            Ordering::Greater => return SeekDangerResult::SeekLowerBound(self.inner.doc()),
            Ordering::Less => {
                if let SeekDangerResult::SeekLowerBound(bound) = self.inner.seek_danger(target) {
                    self.inner_in_danger = true;
                    return SeekDangerResult::SeekLowerBound(bound);
                }
                self.inner_in_danger = false;
            }
        }
        found(self.refill())
    }

    fn fill_buffer(&mut self, buffer: &mut [DocId; COLLECT_BLOCK_BUFFER_LEN]) -> usize {
        let mut filled = 0;
        while filled < buffer.len() && !self.docs.is_empty() {
            let rest = &self.docs[self.at..];
            let n = rest.len().min(buffer.len() - filled);
            buffer[filled..filled + n].copy_from_slice(&rest[..n]);
            filled += n;
            self.at += n;
            if self.at == self.docs.len() {
                self.refill();
            }
        }
        filled
    }

    fn doc(&self) -> DocId {
        self.docs.get(self.at).copied().unwrap_or(TERMINATED)
    }

    fn size_hint(&self) -> u32 {
        self.inner.size_hint()
    }

    fn cost(&self) -> u64 {
        self.inner.cost().saturating_mul(COST_FACTOR)
    }
}

impl Scorer for BlocksScorer {
    fn score(&mut self) -> Score {
        self.scores.get(self.at).map_or(0.0, |score| score * self.boost)
    }
}
