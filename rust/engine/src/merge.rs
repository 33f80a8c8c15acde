// SPDX-License-Identifier: Apache-2.0
//! Which segments become one.
//!
//! (segment, doc) is the order of writing, so only neighbours in `_seq_no` may be merged. Tantivy's own scheduling
//! shows its policy neither the segments that are being merged nor their order, so it is switched off and merges are
//! started from here, after each commit: levels by live documents, the oldest first, as Lucene's LogDocMergePolicy has
//! it.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tantivy::index::{SegmentId, SegmentMeta};
use tantivy::indexer::NoMergePolicy;
use tantivy::{FutureResult, Index, IndexWriter, SegmentReader};

use crate::error::{Failure, Result};
use crate::schema::SEQ_NO;

/// Segments under this are one level: they are cheap to merge and costly to search.
const SMALLEST_LEVEL_DOCS: f64 = 1_000.0;
/// What no merge exceeds, except on demand.
const MAX_MERGED_DOCS: u64 = 20_000_000;
/// Segments whose sizes differ by less than a factor of merge_factor^0.75 are of one level.
const LEVEL_SPAN: f64 = 0.75;
/// A segment with a greater share of deleted documents is rewritten alone.
const MAX_DELETED_SHARE: f64 = 0.33;

/// The least `_seq_no` of each segment, read once per segment.
#[derive(Default)]
pub struct SeqNos(Mutex<HashMap<SegmentId, i64>>);

impl SeqNos {
    fn known(&self, id: SegmentId) -> Option<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    pub fn of_reader(&self, reader: &SegmentReader) -> Result<i64> {
        if let Some(seq_no) = self.known(reader.segment_id()) {
            return Ok(seq_no);
        }
        let column = reader.fast_fields().column_opt::<i64>(SEQ_NO)?;
        let column = column.ok_or_else(|| {
            Failure::corrupt(format!("segment {} has no column _seq_no", reader.segment_id().uuid_string()))
        })?;
        let seq_no = column.min_value();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(reader.segment_id(), seq_no);
        Ok(seq_no)
    }

    fn of_meta(&self, index: &Index, meta: &SegmentMeta) -> Result<i64> {
        match self.known(meta.id()) {
            Some(seq_no) => Ok(seq_no),
            None => self.of_reader(&SegmentReader::open(&index.segment(meta.clone()))?),
        }
    }

    fn retain(&self, live: &HashSet<SegmentId>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| live.contains(id));
    }
}

/// A committed segment as the policy sees it.
#[derive(Clone, Debug)]
struct Candidate {
    id: SegmentId,
    live_docs: u64,
    max_docs: u64,
    is_merging: bool,
}

struct Running {
    segments: Vec<SegmentId>,
    result: FutureResult<Option<SegmentMeta>>,
    is_forced: bool,
}

pub struct Merger {
    merge_factor: usize,
    seq_nos: Arc<SeqNos>,
    running: Vec<Running>,
    /// Of a forced merge, until `take_failure`.
    failure: Option<Failure>,
}

impl Merger {
    pub fn new(merge_factor: usize, seq_nos: Arc<SeqNos>) -> Merger {
        Merger { merge_factor, seq_nos, running: Vec::new(), failure: None }
    }

    /// From here on nothing else starts merges of this writer.
    pub fn take_over(writer: &IndexWriter) {
        writer.set_merge_policy(Box::new(NoMergePolicy));
    }

    /// Starts the merges that are due; they run in the background.
    pub fn start_due(&mut self, index: &Index, writer: &mut IndexWriter) -> Result<()> {
        self.forget_finished();
        let segments = self.segments(index)?;
        for group in due(&segments, self.merge_factor) {
            self.start(writer, &segments[group], false);
        }
        Ok(())
    }

    fn start(&mut self, writer: &mut IndexWriter, group: &[Candidate], is_forced: bool) {
        let segments: Vec<SegmentId> = group.iter().map(|s| s.id).collect();
        let result = writer.merge(&segments);
        self.running.push(Running { segments, result, is_forced });
    }

    /// A merge that failed leaves its segments as they were, to be tried again after the next commit.
    fn forget_finished(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        self.running.retain_mut(|merge| match Pin::new(&mut merge.result).poll(&mut context) {
            Poll::Pending => true,
            Poll::Ready(outcome) => {
                if let (Err(error), true) = (outcome, merge.is_forced) {
                    self.failure = Some(error.into());
                }
                false
            }
        });
    }

    pub fn is_busy(&mut self) -> bool {
        self.forget_finished();
        !self.running.is_empty()
    }

    /// Whether merges of `start_forced` run.
    pub fn is_forcing(&mut self) -> bool {
        self.forget_finished();
        self.running.iter().any(|merge| merge.is_forced)
    }

    pub fn take_failure(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    pub fn wait(&mut self) {
        for merge in self.running.drain(..) {
            let _ = block_on(merge.result);
        }
    }

    /// The committed segments in the order of `_seq_no`.
    fn segments(&self, index: &Index) -> Result<Vec<Candidate>> {
        let metas = index.searchable_segment_metas()?;
        self.seq_nos.retain(&metas.iter().map(SegmentMeta::id).collect());
        let merging: HashSet<SegmentId> = self.running.iter().flat_map(|m| m.segments.iter().copied()).collect();
        let mut segments = Vec::with_capacity(metas.len());
        for meta in &metas {
            let candidate = Candidate {
                id: meta.id(),
                live_docs: u64::from(meta.num_docs()),
                max_docs: u64::from(meta.max_doc()),
                is_merging: merging.contains(&meta.id()),
            };
            segments.push((self.seq_nos.of_meta(index, meta)?, candidate));
        }
        segments.sort_by_key(|s| s.0);
        Ok(segments.into_iter().map(|s| s.1).collect())
    }

    /// Starts merging neighbours until at most `max_segments` are left, none with deleted documents when that is one.
    /// Not to be called while other merges run.
    pub fn start_forced(&mut self, index: &Index, writer: &mut IndexWriter, max_segments: usize) -> Result<()> {
        self.failure = None;
        let segments = self.segments(index)?;
        let groups = groups_of_neighbours(&segments, max_segments);
        for group in groups {
            let group = &segments[group];
            if group.len() > 1 || group[0].live_docs < group[0].max_docs {
                self.start(writer, group, true);
            }
        }
        Ok(())
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a merge. `FutureResult::wait` refuses to, once it has been polled.
fn block_on<T>(mut result: FutureResult<T>) -> tantivy::Result<T> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(outcome) = Pin::new(&mut result).poll(&mut context) {
            return outcome;
        }
        std::thread::park();
    }
}

type Group = std::ops::Range<usize>;

fn level(segment: &Candidate, merge_factor: usize) -> f64 {
    (segment.live_docs.max(1) as f64).ln() / (merge_factor as f64).ln()
}

/// The groups of neighbours to merge now; they do not overlap.
fn due(segments: &[Candidate], merge_factor: usize) -> Vec<Group> {
    let mut groups = Vec::new();
    let floor = SMALLEST_LEVEL_DOCS.ln() / (merge_factor as f64).ln();
    let levels: Vec<f64> = segments.iter().map(|s| level(s, merge_factor)).collect();
    let mut start = 0;
    while start < segments.len() {
        let top = levels[start..].iter().copied().fold(f64::MIN, f64::max);
        let bottom = if top <= floor { f64::MIN } else { (top - LEVEL_SPAN).max(floor) };
        // The level reaches to the last segment that belongs to it; smaller ones in between are merged with it.
        let end = levels.iter().rposition(|l| *l >= bottom).map_or(segments.len(), |i| i + 1);
        while start + merge_factor <= end {
            let group = start..start + merge_factor;
            if is_mergeable(&segments[group.clone()]) {
                groups.push(group);
                start += merge_factor;
            } else {
                start += 1;
            }
        }
        start = start.max(end);
    }
    groups.extend(
        (0..segments.len())
            .filter(|i| !groups.iter().any(|g| g.contains(i)) && wants_rewrite(&segments[*i]))
            .map(|i| i..i + 1)
            .collect::<Vec<_>>(),
    );
    groups
}

fn is_mergeable(group: &[Candidate]) -> bool {
    group.iter().all(|s| !s.is_merging) && group.iter().map(|s| s.live_docs).sum::<u64>() <= MAX_MERGED_DOCS
}

fn wants_rewrite(segment: &Candidate) -> bool {
    let deleted = segment.max_docs - segment.live_docs;
    !segment.is_merging && deleted as f64 > segment.max_docs as f64 * MAX_DELETED_SHARE
}

/// Cuts the row of segments into `wanted` groups of neighbours, joining the smallest pair of groups again and again.
fn groups_of_neighbours(segments: &[Candidate], wanted: usize) -> Vec<Group> {
    let mut groups: Vec<(Group, u64)> = segments.iter().enumerate().map(|(i, s)| (i..i + 1, s.live_docs)).collect();
    while groups.len() > wanted {
        let at = (0..groups.len() - 1).min_by_key(|i| groups[*i].1 + groups[*i + 1].1).unwrap_or(0);
        let right = groups.remove(at + 1);
        groups[at].0.end = right.0.end;
        groups[at].1 += right.1;
    }
    groups.into_iter().map(|g| g.0).collect()
}
