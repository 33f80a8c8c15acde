// SPDX-License-Identifier: Apache-2.0
//! From the tree that C built to what runs: plans, of which some know a shorter way than Tantivy's weights.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tantivy::index::SegmentReader;
use tantivy::query::{
    AllWeight, BooleanWeight, ConstScorer, DisjunctionMaxCombiner, EmptyWeight, EnableScoring, ExistsQuery,
    Explanation, Occur as TantivyOccur, RangeQuery, Scorer, SumCombiner, TermQuery, TermSetQuery, Weight,
};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, Score, SeekDangerResult, TantivyError, Term};

use crate::blocks::BlocksWeight;
use crate::bm25::TermWeight;
use crate::exists::TextExistsWeight;
use crate::ffi::Shared;
use crate::gather::{Gather, Sink};
use crate::query::{Occur, Query};
use crate::schema::{FieldInfo, Kind};
use crate::searcher::QeSearcher;
use crate::terms::TermsWeight;

/// How a query is run when all of its matches are wanted.
pub enum Plan {
    All,
    Terms(TermsWeight),
    Blocks(BlocksWeight),
    /// The matches of another plan, each with the same score.
    Constant {
        inner: Box<Plan>,
        score: Score,
    },
    Other {
        weight: Box<dyn Weight>,
        scores: bool,
    },
}

impl Plan {
    /// The live matches of a segment, in blocks. Those that do not score come with a score of 1.
    pub fn drive(&self, reader: &SegmentReader, sink: Sink) -> tantivy::Result<()> {
        self.drive_scoring(reader, 1.0, sink)
    }

    /// `constant` is what matches score that do not score by themselves.
    fn drive_scoring(&self, reader: &SegmentReader, constant: Score, sink: Sink) -> tantivy::Result<()> {
        let mut out = match self {
            Plan::Constant { inner, score } => return inner.drive_scoring(reader, *score, sink),
            Plan::Blocks(blocks) if blocks.wants_scores => return blocks.drive(reader, sink),
            Plan::Blocks(blocks) => {
                return blocks.drive(reader, &mut |docs, scores| {
                    scores.fill(constant);
                    sink(docs, scores);
                });
            }
            _ => Gather::new(reader, constant, sink),
        };
        match self {
            Plan::All => out.extend_all(reader.max_doc()),
            Plan::Terms(terms) => terms.drive(reader, &mut out)?,
            Plan::Other { weight, scores: true } => weight.for_each(reader, &mut |doc, score| out.push(doc, score))?,
            Plan::Other { weight, .. } => weight.for_each_no_score(reader, &mut |docs| out.extend(docs))?,
            Plan::Blocks(_) | Plan::Constant { .. } => {}
        }
        out.finish();
        Ok(())
    }

    /// The number of live matches when it costs nothing to know.
    pub fn cheap_count(&self, reader: &SegmentReader) -> tantivy::Result<Option<u64>> {
        match self {
            Plan::All => Ok(Some(u64::from(reader.num_docs()))),
            Plan::Terms(terms) => terms.cheap_count(reader),
            Plan::Constant { inner, .. } => inner.cheap_count(reader),
            Plan::Blocks(_) | Plan::Other { .. } => Ok(None),
        }
    }
}

/// What other weights are built on: no more than pulling from it is needed there.
impl Weight for Plan {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        match self {
            Plan::All => AllWeight.scorer(reader, boost),
            Plan::Terms(terms) => terms.weight().scorer(reader, boost),
            Plan::Blocks(blocks) => blocks.scorer(reader, boost),
            Plan::Constant { inner, score } => {
                Ok(Box::new(ConstScorer::new(inner.scorer(reader, 1.0)?, score * boost)))
            }
            Plan::Other { weight, .. } => weight.scorer(reader, boost),
        }
    }

    fn scorer_danger(
        &self,
        reader: &SegmentReader,
        target: DocId,
        boost: Score,
    ) -> tantivy::Result<(SeekDangerResult, Box<dyn Scorer>)> {
        match self {
            Plan::All => AllWeight.scorer_danger(reader, target, boost),
            Plan::Terms(terms) => terms.weight().scorer_danger(reader, target, boost),
            Plan::Blocks(blocks) => blocks.scorer_danger(reader, target, boost),
            Plan::Constant { inner, score } => {
                let (found, inner) = inner.scorer_danger(reader, target, 1.0)?;
                Ok((found, Box::new(ConstScorer::new(inner, score * boost))))
            }
            Plan::Other { weight, .. } => weight.scorer_danger(reader, target, boost),
        }
    }

    fn explain(&self, _reader: &SegmentReader, _doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument("explanations are not offered".to_string()))
    }

    fn count(&self, reader: &SegmentReader) -> tantivy::Result<u32> {
        if let Some(count) = self.cheap_count(reader)? {
            return Ok(count as u32);
        }
        if let Plan::Other { weight, .. } = self {
            return weight.count(reader);
        }
        let mut count = 0;
        self.drive(reader, &mut |docs, _| count += docs.len() as u32)?;
        Ok(count)
    }
}

/// Turns a tree of queries into a plan. Boosts are handed down to the leaves, so that boolean weights see plain term
/// scorers.
pub struct Builder<'a> {
    searcher: &'a QeSearcher,
    stopped: &'a Arc<AtomicBool>,
    /// The greatest of the terms; see `TermWeight::pruning_slack`.
    pub slack: Score,
}

impl<'a> Builder<'a> {
    pub fn new(searcher: &'a QeSearcher, stopped: &'a Arc<AtomicBool>) -> Builder<'a> {
        Builder { searcher, stopped, slack: 1.0 }
    }

    fn constant(&self, inner: Plan, score: Score, scores: bool) -> Plan {
        let is_idle = matches!(inner, Plan::All) && score == 1.0;
        if scores && !is_idle { Plan::Constant { inner: Box::new(inner), score } } else { inner }
    }

    /// A query of Tantivy's whose matches all score the same.
    fn flat(&self, query: &dyn tantivy::query::Query, boost: Score, scores: bool) -> tantivy::Result<Plan> {
        let weight = query.weight(EnableScoring::disabled_from_searcher(&self.searcher.searcher))?;
        Ok(self.constant(Plan::Other { weight, scores: false }, boost, scores))
    }

    /// `scores`: whether anybody will look at what the matches score.
    pub fn build(&mut self, query: Query, boost: Score, scores: bool) -> tantivy::Result<Plan> {
        let nothing = || Plan::Other { weight: Box::new(EmptyWeight), scores: false };
        Ok(match query {
            Query::All => self.constant(Plan::All, boost, scores),
            Query::None => nothing(),
            Query::Term { info, term } => {
                Plan::Terms(TermsWeight::new(vec![self.term(&info, term, boost, scores)?], scores))
            }
            Query::AnyTerm { terms } if terms.is_empty() => nothing(),
            // A set is looked for by a walk over the dictionary, and gathered in a bitmap of all documents.
            Query::AnyTerm { mut terms } if terms.len() == 1 => {
                self.flat(&TermQuery::new(terms.remove(0), IndexRecordOption::Basic), boost, scores)?
            }
            Query::AnyTerm { terms } => self.flat(&TermSetQuery::new(terms), boost, scores)?,
            Query::Range { lower, upper } => self.flat(&RangeQuery::new(lower, upper), boost, scores)?,
            Query::Exists { info } if info.kind == Kind::Text => {
                let weight = Box::new(TextExistsWeight(info.field));
                self.constant(Plan::Other { weight, scores: false }, boost, scores)
            }
            Query::Exists { info } => self.flat(&ExistsQuery::new(info.column, false), boost, scores)?,
            Query::Bool { clauses, minimum_should_match } => {
                self.boolean(clauses, minimum_should_match, boost, scores)?
            }
            Query::Boost { inner, boost: factor } => self.build(*inner, boost * factor, scores)?,
            Query::Constant { inner, score } => {
                let inner = self.build(*inner, 1.0, false)?;
                self.constant(inner, score * boost, scores)
            }
            Query::DisMax { clauses, tie_breaker } => {
                let mut weights = Vec::with_capacity(clauses.len());
                for clause in clauses {
                    weights
                        .push((TantivyOccur::Should, Box::new(self.build(clause, boost, scores)?) as Box<dyn Weight>));
                }
                let combiner = Box::new(move || DisjunctionMaxCombiner::with_tie_breaker(tie_breaker));
                let weight = Box::new(BooleanWeight::with_minimum_number_should_match(weights, 1, scores, combiner));
                Plan::Other { weight, scores }
            }
            Query::Blocks { inner, needs_inner_scores, callbacks } => {
                let reads_scores = needs_inner_scores && scores;
                Plan::Blocks(BlocksWeight {
                    inner: Box::new(self.build(*inner, 1.0, reads_scores)?),
                    callbacks,
                    searcher: Shared(self.searcher),
                    stopped: Arc::clone(self.stopped),
                    reads_scores,
                    wants_scores: scores,
                    boost,
                })
            }
        })
    }

    fn term(&mut self, info: &FieldInfo, term: Term, boost: Score, scores: bool) -> tantivy::Result<TermWeight> {
        let weight = TermWeight::new(self.searcher, info, term, boost, scores)?;
        self.slack = self.slack.max(weight.pruning_slack());
        Ok(weight)
    }

    fn boolean(
        &mut self,
        clauses: Vec<(Occur, Query)>,
        minimum_should_match: usize,
        boost: Score,
        scores: bool,
    ) -> tantivy::Result<Plan> {
        let mut clauses = without_idle_filters(clauses);
        if let [(occur @ (Occur::Must | Occur::Should), _)] = clauses.as_slice()
            && minimum_should_match <= usize::from(*occur == Occur::Should)
        {
            return self.build(clauses.remove(0).1, boost, scores);
        }
        // A filter alone: its plan knows shorter ways than an intersection of one.
        if let [(Occur::Filter, _)] = clauses.as_slice()
            && minimum_should_match == 0
        {
            let inner = self.build(clauses.remove(0).1, 1.0, false)?;
            return Ok(self.constant(inner, 0.0, scores));
        }
        if minimum_should_match <= 1 && clauses.iter().all(|(occur, q)| *occur == Occur::Should && is_term(q)) {
            return self.any_term(clauses, boost, scores);
        }
        let mut weights: Vec<(TantivyOccur, Box<dyn Weight>)> = Vec::with_capacity(clauses.len());
        for (occur, query) in clauses {
            let (occur, plan) = match occur {
                Occur::Must => (TantivyOccur::Must, self.build(query, boost, scores)?),
                Occur::Should => (TantivyOccur::Should, self.build(query, boost, scores)?),
                Occur::MustNot => (TantivyOccur::MustNot, self.build(query, 1.0, false)?),
                Occur::Filter => {
                    let inner = self.build(query, 1.0, false)?;
                    (TantivyOccur::Must, self.constant(inner, 0.0, scores))
                }
            };
            weights.push((occur, Box::new(plan)));
        }
        let combiner = Box::new(SumCombiner::default);
        let weight = BooleanWeight::with_minimum_number_should_match(weights, minimum_should_match, scores, combiner);
        Ok(Plan::Other { weight: Box::new(weight), scores })
    }

    /// Clauses of which `is_term` says that each is one.
    fn any_term(&mut self, clauses: Vec<(Occur, Query)>, boost: Score, scores: bool) -> tantivy::Result<Plan> {
        let mut terms = Vec::with_capacity(clauses.len());
        for (_, query) in clauses {
            let (mut query, mut boost) = (query, boost);
            while let Query::Boost { inner, boost: factor } = query {
                boost *= factor;
                query = *inner;
            }
            if let Query::Term { info, term } = query {
                terms.push(self.term(&info, term, boost, scores)?);
            }
        }
        Ok(Plan::Terms(TermsWeight::new(terms, scores)))
    }
}

fn is_term(query: &Query) -> bool {
    match query {
        Query::Term { .. } => true,
        Query::Boost { inner, .. } => is_term(inner),
        _ => false,
    }
}

/// Clauses of which at least one is not MUST_NOT, and none is a filter that lets everything pass beside other
/// conditions.
fn without_idle_filters(mut clauses: Vec<(Occur, Query)>) -> Vec<(Occur, Query)> {
    if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
        clauses.push((Occur::Filter, Query::All));
    }
    let is_idle = |clause: &(Occur, Query)| matches!(clause, (Occur::Filter, Query::All));
    let is_required = |clause: &(Occur, Query)| matches!(clause.0, Occur::Must | Occur::Filter);
    if clauses.iter().any(|clause| is_required(clause) && !is_idle(clause)) {
        clauses.retain(|clause| !is_idle(clause));
    }
    clauses
}
