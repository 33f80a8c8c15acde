// SPDX-License-Identifier: Apache-2.0
//! Weights: a query made ready for one searcher, and the three ways to run it over a segment.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tantivy::index::SegmentReader;
use tantivy::query::Weight as _;
use tantivy::{DocId, Score};

use crate::error::{Failure, QeError, Result, guard, guard_or, stop_search, until_stopped};
use crate::ffi::Shared;
use crate::plan::{Builder, Plan};
use crate::query::Query;
use crate::searcher::QeSearcher;

/// Rounding in sums of block maxima must not prune what it should not.
const ROUNDING_SLACK: Score = 1.000_01;

pub struct QeWeight {
    searcher: Shared<QeSearcher>,
    plan: Plan,
    wants_scores: bool,
    /// Set by a callback of blocks, on whichever thread: the whole search ends.
    stopped: Arc<AtomicBool>,
    /// By how much thresholds are lowered before Tantivy prunes with them; see bm25.rs.
    slack: Score,
}

impl QeWeight {
    fn new(searcher: &QeSearcher, query: Query, wants_scores: bool) -> Result<QeWeight> {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut builder = Builder::new(searcher, &stopped);
        let plan = builder.build(query, 1.0, wants_scores)?;
        let slack = builder.slack * ROUNDING_SLACK;
        Ok(QeWeight { searcher: Shared(searcher), plan, wants_scores, stopped, slack })
    }

    /// Runs `body` unless the search was stopped, and tells when it was meanwhile.
    fn run(&self, segment: usize, body: impl FnOnce(&SegmentReader) -> tantivy::Result<()>) -> Result<()> {
        if self.stopped.load(Relaxed) {
            return Err(Failure::stopped());
        }
        // SAFETY: engine.h has the searcher outlive its weights.
        let searcher = unsafe { &*self.searcher.0 };
        body(searcher.reader(segment)?)?;
        if self.stopped.load(Relaxed) { Err(Failure::stopped()) } else { Ok(()) }
    }
}

type QeCollectFn = extern "C" fn(arg: *mut c_void, n: usize, docs: *const u32, scores: *const f32) -> bool;

fn collect(weight: &QeWeight, reader: &SegmentReader, cb: QeCollectFn, arg: *mut c_void) -> tantivy::Result<()> {
    weight.plan.drive(reader, &mut |docs, scores| {
        let scores = if weight.wants_scores { scores.as_ptr() } else { std::ptr::null() };
        if !cb(arg, docs.len(), docs.as_ptr(), scores) {
            stop_search();
        }
    })
}

type QeTopFn = extern "C" fn(arg: *mut c_void, doc: u32, score: f32) -> f32;

/// The callback, and the score that it wants to see surpassed.
struct Bar {
    cb: QeTopFn,
    arg: *mut c_void,
    height: Score,
}

impl Bar {
    fn offer(&mut self, doc: DocId, score: Score) {
        if score > self.height {
            self.height = (self.cb)(self.arg, doc, score);
        }
    }

    fn offer_all(&mut self, docs: &[DocId], scores: &[Score]) {
        docs.iter().zip(scores).for_each(|(doc, score)| self.offer(*doc, *score));
    }
}

fn top(weight: &QeWeight, reader: &SegmentReader, cb: QeTopFn, arg: *mut c_void) -> tantivy::Result<()> {
    let mut bar = Bar { cb, arg, height: Score::MIN };
    // The bar as Tantivy is to see it: low enough for block maxima that are a little too low.
    let pruned = &mut |doc: DocId, score: Score| {
        if !reader.is_deleted(doc) {
            bar.offer(doc, score);
        }
        if bar.height > 0.0 { bar.height / weight.slack } else { bar.height }
    };
    match &weight.plan {
        Plan::Terms(terms) if terms.is_worth_pruning(reader)? => {
            terms.weight().for_each_pruning(Score::MIN, reader, pruned)
        }
        Plan::Other { weight, scores: true } => weight.for_each_pruning(Score::MIN, reader, pruned),
        // All score the same: once the bar is as high, no more can pass.
        Plan::All | Plan::Constant { .. } => until_stopped(|| {
            weight.plan.drive(reader, &mut |docs, scores| {
                bar.offer_all(docs, scores);
                if scores.first().is_some_and(|score| *score <= bar.height) {
                    stop_search();
                }
            })
        }),
        plan => plan.drive(reader, &mut |docs, scores| bar.offer_all(docs, scores)),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_weight_new(
    s: *const QeSearcher,
    query: *mut Query,
    wants_scores: bool,
    out: *mut *mut QeWeight,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        if query.is_null() {
            return Err(Failure::invalid("no query was given"));
        }
        let query = unsafe { Box::from_raw(query) };
        let weight = QeWeight::new(unsafe { &*s }, *query, wants_scores)?;
        unsafe { *out = Box::into_raw(Box::new(weight)) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_weight_free(weight: *mut QeWeight) {
    guard_or((), || {
        if !weight.is_null() {
            drop(unsafe { Box::from_raw(weight) });
        }
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_weight_run(
    weight: *const QeWeight,
    segment: usize,
    cb: QeCollectFn,
    arg: *mut c_void,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let weight = unsafe { &*weight };
        weight.run(segment, |reader| collect(weight, reader, cb, arg))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_weight_top(
    weight: *const QeWeight,
    segment: usize,
    cb: QeTopFn,
    arg: *mut c_void,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let weight = unsafe { &*weight };
        if !weight.wants_scores {
            return Err(Failure::invalid("the weight was made without scores, so it has no top documents"));
        }
        weight.run(segment, |reader| top(weight, reader, cb, arg))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_weight_count(
    weight: *const QeWeight,
    segment: usize,
    only_if_cheap: bool,
    is_cheap: *mut bool,
    count: *mut u64,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        let weight = unsafe { &*weight };
        weight.run(segment, |reader| {
            let cheap = weight.plan.cheap_count(reader)?;
            let found = match cheap {
                None if !only_if_cheap => Some(u64::from(weight.plan.count(reader)?)),
                known => known,
            };
            unsafe {
                if let Some(is_cheap) = is_cheap.as_mut() {
                    *is_cheap = cheap.is_some();
                }
                if let Some(found) = found {
                    *count = found;
                }
            }
            Ok(())
        })
    })
}
