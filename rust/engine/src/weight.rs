// SPDX-License-Identifier: Apache-2.0
//! Weights: a query made ready for one searcher, and the three ways to run it over a segment.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tantivy::index::SegmentReader;
use tantivy::query::{
    AllWeight, BooleanWeight, ConstScorer, DisjunctionMaxCombiner, EmptyWeight, EnableScoring, ExistsQuery,
    Explanation, Occur as TantivyOccur, Query as _, RangeQuery, Scorer, SumCombiner, TermSetQuery, Weight,
};
use tantivy::{DocId, Score, SeekDangerResult, TantivyError};

use crate::blocks::{BLOCK_DOCS, BlocksWeight, Inner};
use crate::bm25::TermWeight;
use crate::error::{Failure, QeError, Result, guard, guard_or, stop_search};
use crate::exists::TextExistsWeight;
use crate::ffi::Shared;
use crate::query::{Occur, Query};
use crate::schema::Kind;
use crate::searcher::QeSearcher;

/// Rounding in sums of block maxima must not prune what it should not.
const ROUNDING_SLACK: Score = 1.000_01;

/// The root, as far as its kind matters for running it.
enum Root {
    All,
    Term(TermWeight),
    Blocks(BlocksWeight),
    Other(Box<dyn Weight>),
}

impl Root {
    fn boxed(self, boost: Score) -> Box<dyn Weight> {
        match self {
            Root::All if boost == 1.0 => Box::new(AllWeight),
            Root::All => Box::new(ConstantWeight { inner: Box::new(AllWeight), score: boost }),
            Root::Term(weight) => Box::new(weight),
            Root::Blocks(weight) => Box::new(weight),
            Root::Other(weight) => weight,
        }
    }
}

pub struct QeWeight {
    searcher: Shared<QeSearcher>,
    root: Root,
    wants_scores: bool,
    /// Set by a callback of blocks, on whichever thread: the whole search ends.
    stopped: Arc<AtomicBool>,
    /// By how much thresholds are lowered before Tantivy prunes with them; see bm25.rs.
    slack: Score,
}

/// Any document of the inner weight, each with the same score.
struct ConstantWeight {
    inner: Box<dyn Weight>,
    score: Score,
}

impl Weight for ConstantWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(Box::new(ConstScorer::new(self.inner.scorer(reader, 1.0)?, self.score * boost)))
    }

    fn scorer_danger(
        &self,
        reader: &SegmentReader,
        target: DocId,
        boost: Score,
    ) -> tantivy::Result<(SeekDangerResult, Box<dyn Scorer>)> {
        let (found, inner) = self.inner.scorer_danger(reader, target, 1.0)?;
        Ok((found, Box::new(ConstScorer::new(inner, self.score * boost))))
    }

    fn explain(&self, _reader: &SegmentReader, _doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument("explanations are not offered".to_string()))
    }

    fn count(&self, reader: &SegmentReader) -> tantivy::Result<u32> {
        self.inner.count(reader)
    }

    fn for_each(&self, reader: &SegmentReader, callback: &mut dyn FnMut(DocId, Score)) -> tantivy::Result<()> {
        self.inner.for_each_no_score(reader, &mut |docs| docs.iter().for_each(|doc| callback(*doc, self.score)))
    }

    fn for_each_no_score(&self, reader: &SegmentReader, callback: &mut dyn FnMut(&[DocId])) -> tantivy::Result<()> {
        self.inner.for_each_no_score(reader, callback)
    }
}

/// Turns a tree of queries into weights. Boosts are handed down to the leaves, so that boolean weights see plain term
/// scorers.
struct Builder<'a> {
    searcher: &'a QeSearcher,
    wants_scores: bool,
    stopped: Arc<AtomicBool>,
    slack: Score,
}

impl Builder<'_> {
    fn unscored(&self) -> EnableScoring<'_> {
        EnableScoring::disabled_from_searcher(&self.searcher.searcher)
    }

    fn constant(&self, inner: Box<dyn Weight>, score: Score, scores: bool) -> Root {
        Root::Other(if scores { Box::new(ConstantWeight { inner, score }) } else { inner })
    }

    fn build(&mut self, query: Query, boost: Score, scores: bool) -> tantivy::Result<Root> {
        Ok(match query {
            Query::All => Root::All,
            Query::None => Root::Other(Box::new(EmptyWeight)),
            Query::Term { info, term } => {
                let weight = TermWeight::new(self.searcher, &info, term, boost, scores)?;
                self.slack = self.slack.max(weight.pruning_slack());
                Root::Term(weight)
            }
            Query::AnyTerm { terms } if terms.is_empty() => Root::Other(Box::new(EmptyWeight)),
            Query::AnyTerm { terms } => self.constant(TermSetQuery::new(terms).weight(self.unscored())?, boost, scores),
            Query::Range { lower, upper } => {
                self.constant(RangeQuery::new(lower, upper).weight(self.unscored())?, boost, scores)
            }
            Query::Exists { info } if info.kind == Kind::Text => {
                self.constant(Box::new(TextExistsWeight(info.field)), boost, scores)
            }
            Query::Exists { info } => {
                self.constant(ExistsQuery::new(info.column, false).weight(self.unscored())?, boost, scores)
            }
            Query::Bool { clauses, minimum_should_match } => {
                self.boolean(clauses, minimum_should_match, boost, scores)?
            }
            Query::Boost { inner, boost: factor } => return self.build_boosted(*inner, boost * factor, scores),
            Query::Constant { inner, score } => {
                let inner = self.build_boxed(*inner, 1.0, false)?;
                self.constant(inner, score * boost, scores)
            }
            Query::DisMax { clauses, tie_breaker } => {
                let mut weights = Vec::with_capacity(clauses.len());
                for clause in clauses {
                    weights.push((TantivyOccur::Should, self.build_boxed(clause, boost, scores)?));
                }
                let combiner = Box::new(move || DisjunctionMaxCombiner::with_tie_breaker(tie_breaker));
                Root::Other(Box::new(BooleanWeight::with_minimum_number_should_match(weights, 1, scores, combiner)))
            }
            Query::Blocks { inner, needs_inner_scores, callbacks } => {
                let reads_scores = needs_inner_scores && scores;
                let inner = match self.build(*inner, 1.0, reads_scores)? {
                    Root::Blocks(weight) => Inner::Blocks(Box::new(weight)),
                    other => Inner::Other(other.boxed(1.0)),
                };
                Root::Blocks(BlocksWeight {
                    inner,
                    callbacks,
                    searcher: Shared(self.searcher),
                    stopped: Arc::clone(&self.stopped),
                    reads_scores,
                    wants_scores: self.wants_scores,
                    boost,
                })
            }
        })
    }

    /// Match-all is the one root that does not carry its own boost.
    fn build_boosted(&mut self, query: Query, boost: Score, scores: bool) -> tantivy::Result<Root> {
        Ok(match self.build(query, boost, scores)? {
            Root::All if boost != 1.0 && scores => self.constant(Box::new(AllWeight), boost, scores),
            other => other,
        })
    }

    fn build_boxed(&mut self, query: Query, boost: Score, scores: bool) -> tantivy::Result<Box<dyn Weight>> {
        let boost_of_all = if scores { boost } else { 1.0 };
        Ok(self.build(query, boost, scores)?.boxed(boost_of_all))
    }

    fn boolean(
        &mut self,
        mut clauses: Vec<(Occur, Query)>,
        minimum_should_match: usize,
        boost: Score,
        scores: bool,
    ) -> tantivy::Result<Root> {
        let is_positive = |occur: &Occur| *occur != Occur::MustNot;
        if !clauses.iter().any(|(occur, _)| is_positive(occur)) {
            clauses.push((Occur::Filter, Query::All));
        }
        // A filter that all documents pass says nothing beside another condition.
        let required = clauses.iter().filter(|(occur, _)| matches!(occur, Occur::Must | Occur::Filter)).count();
        let is_idle = |clause: &(Occur, Query)| matches!(clause, (Occur::Filter, Query::All));
        if clauses.iter().filter(|c| is_idle(c)).count() < required {
            clauses.retain(|clause| !is_idle(clause));
        }
        if clauses.len() == 1
            && matches!(clauses[0].0, Occur::Must | Occur::Should)
            && minimum_should_match <= usize::from(clauses[0].0 == Occur::Should)
        {
            return self.build_boosted(clauses.remove(0).1, boost, scores);
        }
        let mut weights = Vec::with_capacity(clauses.len());
        for (occur, query) in clauses {
            weights.push(match occur {
                Occur::Must => (TantivyOccur::Must, self.build_boxed(query, boost, scores)?),
                Occur::Should => (TantivyOccur::Should, self.build_boxed(query, boost, scores)?),
                Occur::MustNot => (TantivyOccur::MustNot, self.build_boxed(query, 1.0, false)?),
                Occur::Filter => {
                    let inner = self.build_boxed(query, 1.0, false)?;
                    (TantivyOccur::Must, self.constant(inner, 0.0, scores).boxed(1.0))
                }
            });
        }
        let combiner = Box::new(SumCombiner::default);
        Ok(Root::Other(Box::new(BooleanWeight::with_minimum_number_should_match(
            weights,
            minimum_should_match,
            scores,
            combiner,
        ))))
    }
}

impl QeWeight {
    fn new(searcher: &QeSearcher, query: Query, wants_scores: bool) -> Result<QeWeight> {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut builder = Builder { searcher, wants_scores, stopped: Arc::clone(&stopped), slack: ROUNDING_SLACK };
        let root = builder.build_boosted(query, 1.0, wants_scores)?;
        let slack = builder.slack * ROUNDING_SLACK;
        Ok(QeWeight { searcher: Shared(searcher), root, wants_scores, stopped, slack })
    }

    fn searcher(&self) -> &QeSearcher {
        // SAFETY: engine.h has the searcher outlive its weights.
        unsafe { &*self.searcher.0 }
    }

    fn weight(&self) -> &dyn Weight {
        match &self.root {
            Root::All => &AllWeight,
            Root::Term(weight) => weight,
            Root::Blocks(weight) => weight,
            Root::Other(weight) => weight.as_ref(),
        }
    }

    /// Runs `body` unless the search was stopped, and tells when it was meanwhile.
    fn run(&self, segment: usize, body: impl FnOnce(&SegmentReader) -> tantivy::Result<()>) -> Result<()> {
        if self.stopped.load(Relaxed) {
            return Err(Failure::stopped());
        }
        body(self.searcher().reader(segment)?)?;
        if self.stopped.load(Relaxed) { Err(Failure::stopped()) } else { Ok(()) }
    }
}

type QeCollectFn = extern "C" fn(arg: *mut c_void, n: usize, docs: *const u32, scores: *const f32) -> bool;

/// Gathers documents for the collecting callback.
struct Collected {
    cb: QeCollectFn,
    arg: *mut c_void,
    wants_scores: bool,
    n: usize,
    docs: Box<[DocId; BLOCK_DOCS]>,
    scores: Box<[Score; BLOCK_DOCS]>,
}

impl Collected {
    fn new(cb: QeCollectFn, arg: *mut c_void, wants_scores: bool) -> Collected {
        Collected { cb, arg, wants_scores, n: 0, docs: Box::new([0; BLOCK_DOCS]), scores: Box::new([1.0; BLOCK_DOCS]) }
    }

    #[inline]
    fn push(&mut self, doc: DocId, score: Score) {
        self.docs[self.n] = doc;
        self.scores[self.n] = score;
        self.n += 1;
        if self.n == BLOCK_DOCS {
            self.flush();
        }
    }

    fn extend(&mut self, mut docs: &[DocId]) {
        while !docs.is_empty() {
            let n = docs.len().min(BLOCK_DOCS - self.n);
            self.docs[self.n..self.n + n].copy_from_slice(&docs[..n]);
            self.n += n;
            docs = &docs[n..];
            if self.n == BLOCK_DOCS {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        let n = std::mem::take(&mut self.n);
        if n > 0 {
            hand_over(self.cb, self.arg, &self.docs[..n], self.wants_scores.then_some(&self.scores[..n]));
        }
    }
}

/// Calls C, and leaves the search when it wants no more.
fn hand_over(cb: QeCollectFn, arg: *mut c_void, docs: &[DocId], scores: Option<&[Score]>) {
    if !cb(arg, docs.len(), docs.as_ptr(), scores.map_or(std::ptr::null(), <[Score]>::as_ptr)) {
        stop_search();
    }
}

fn collect(weight: &QeWeight, reader: &SegmentReader, cb: QeCollectFn, arg: *mut c_void) -> tantivy::Result<()> {
    if let Root::Blocks(root) = &weight.root {
        return root.drive(reader, &mut |docs, scores| hand_over(cb, arg, docs, weight.wants_scores.then_some(scores)));
    }
    let mut out = Collected::new(cb, arg, weight.wants_scores);
    let inner = weight.weight();
    match (reader.alive_bitset(), weight.wants_scores) {
        (None, true) => inner.for_each(reader, &mut |doc, score| out.push(doc, score))?,
        (None, false) => inner.for_each_no_score(reader, &mut |docs| out.extend(docs))?,
        (Some(alive), true) => inner.for_each(reader, &mut |doc, score| {
            if alive.is_alive(doc) {
                out.push(doc, score);
            }
        })?,
        (Some(alive), false) => inner.for_each_no_score(reader, &mut |docs| {
            for doc in docs.iter().filter(|doc| alive.is_alive(**doc)) {
                out.push(*doc, 1.0);
            }
        })?,
    }
    out.flush();
    Ok(())
}

type QeTopFn = extern "C" fn(arg: *mut c_void, doc: u32, score: f32) -> f32;

fn top(weight: &QeWeight, reader: &SegmentReader, cb: QeTopFn, arg: *mut c_void) -> tantivy::Result<()> {
    let mut threshold = Score::MIN;
    let mut offer = |doc: DocId, score: Score| {
        if score > threshold && !reader.is_deleted(doc) {
            threshold = cb(arg, doc, score);
        }
        threshold
    };
    match &weight.root {
        Root::Blocks(root) => root.drive(reader, &mut |docs, scores| {
            for (doc, score) in docs.iter().zip(scores) {
                offer(*doc, *score);
            }
        }),
        root => {
            // Tantivy prunes with what it is given back.
            let lowered = |threshold: Score| if threshold > 0.0 { threshold / weight.slack } else { threshold };
            let mut pruned = |doc: DocId, score: Score| lowered(offer(doc, score));
            match root {
                // Only a boolean weight prunes a single term by block maxima.
                Root::Term(term) => single(term).for_each_pruning(Score::MIN, reader, &mut pruned),
                _ => weight.weight().for_each_pruning(Score::MIN, reader, &mut pruned),
            }
        }
    }
}

/// A disjunction of one term.
fn single(term: &TermWeight) -> BooleanWeight<SumCombiner> {
    let weights: Vec<(TantivyOccur, Box<dyn Weight>)> = vec![(TantivyOccur::Should, Box::new(term.clone()))];
    BooleanWeight::with_minimum_number_should_match(weights, 0, true, Box::new(SumCombiner::default))
}

/// The number of live matches when it costs nothing to know.
fn cheap_count(weight: &QeWeight, reader: &SegmentReader) -> tantivy::Result<Option<u64>> {
    Ok(match &weight.root {
        Root::All => Some(u64::from(reader.num_docs())),
        Root::Term(term) if !reader.has_deletes() => Some(u64::from(term.count(reader)?)),
        _ => None,
    })
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
            let cheap = cheap_count(weight, reader)?;
            let found = match cheap {
                None if !only_if_cheap => Some(u64::from(weight.weight().count(reader)?)),
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
