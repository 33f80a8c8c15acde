// SPDX-License-Identifier: Apache-2.0
//! BM25 as Lucene 10 has it, on Tantivy's scorers.
//!
//! Tantivy takes the number of documents of the index for N and multiplies scores by (k1 + 1). Lucene counts the
//! documents that have the field (deleted ones included, until a merge drops them), takes the average length over
//! these, and has no such factor. So each term gets a statistics provider of its own and a boost that takes the factor
//! out again. The scorers stay Tantivy's, so that boolean queries recognize them and keep their fast paths.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tantivy::columnar::ColumnIndex;
use tantivy::index::{SegmentId, SegmentReader};
use tantivy::query::{Bm25StatisticsProvider, EnableScoring, Explanation, Query as _, Scorer, TermQuery, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, Score, Searcher, TantivyError, Term};

use crate::schema::{FieldInfo, Kind};
use crate::searcher::QeSearcher;

/// What Tantivy multiplies in and Lucene, since version 8, does not.
const TANTIVY_FACTOR: Score = 1.0 + 1.2;

/// How many documents of a segment have a field; deleted ones count.
#[derive(Default)]
pub struct FieldStats(Mutex<HashMap<(SegmentId, Field), u64>>);

impl FieldStats {
    /// Forgets the segments that are no longer in use.
    pub fn retain_segments(&self, searcher: &Searcher) {
        let live: HashSet<SegmentId> = searcher.segment_readers().iter().map(SegmentReader::segment_id).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(id, _), _| live.contains(id));
    }

    fn docs_with_field(&self, reader: &SegmentReader, info: &FieldInfo) -> tantivy::Result<u64> {
        let key = (reader.segment_id(), info.field);
        if let Some(count) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(*count);
        }
        let count = match info.kind {
            Kind::Text => docs_with_tokens(reader, info.field)?,
            _ if info.has_column => docs_with_value(reader, &info.column)?,
            // Without a column nothing tells; a field with one value per document has as many documents as terms in
            // all.
            _ => reader.inverted_index(info.field)?.total_num_tokens().min(u64::from(reader.max_doc())),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, count);
        Ok(count)
    }
}

fn docs_with_tokens(reader: &SegmentReader, field: Field) -> tantivy::Result<u64> {
    let Some(norms) = reader.fieldnorms_readers().get_field(field)? else {
        return Ok(0);
    };
    Ok((0..reader.max_doc()).filter(|doc| norms.fieldnorm_id(*doc) > 0).count() as u64)
}

fn docs_with_value(reader: &SegmentReader, column: &str) -> tantivy::Result<u64> {
    let mut count = 0;
    for handle in reader.fast_fields().dynamic_column_handles(column)? {
        count += match handle.open()?.column_index() {
            ColumnIndex::Empty { .. } => 0,
            ColumnIndex::Full => u64::from(reader.max_doc()),
            ColumnIndex::Optional(index) => u64::from(index.num_non_nulls()),
            ColumnIndex::Multivalued(index) => index.iter_non_null_docs().count() as u64,
        };
    }
    Ok(count)
}

/// Lucene's numbers about one term, in the shape in which Tantivy asks for them.
#[derive(Clone, Copy)]
struct Statistics {
    docs: u64,
    tokens: u64,
    freq: u64,
}

impl Bm25StatisticsProvider for Statistics {
    fn total_num_tokens(&self, _field: Field) -> tantivy::Result<u64> {
        Ok(self.tokens)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.docs)
    }

    fn doc_freq(&self, _term: &Term) -> tantivy::Result<u64> {
        Ok(self.freq)
    }
}

/// A term of an indexed field.
#[derive(Clone)]
pub struct TermWeight {
    inner: Arc<dyn Weight>,
    boost: Score,
    /// See [`TermWeight::pruning_slack`].
    slack: Score,
}

impl TermWeight {
    pub fn new(
        s: &QeSearcher,
        info: &FieldInfo,
        term: Term,
        boost: Score,
        is_scoring: bool,
    ) -> tantivy::Result<TermWeight> {
        let record = if info.kind == Kind::Text { IndexRecordOption::WithFreqs } else { IndexRecordOption::Basic };
        let query = TermQuery::new(term.clone(), record);
        if !is_scoring {
            let inner = query.weight(EnableScoring::disabled_from_searcher(&s.searcher))?;
            return Ok(TermWeight { inner: Arc::from(inner), boost: 1.0, slack: 1.0 });
        }
        let (statistics, slack) = statistics_of(s, info, &term)?;
        let inner = query.weight(EnableScoring::enabled_from_statistics_provider(&statistics, &s.searcher))?;
        Ok(TermWeight { inner: Arc::from(inner), boost: boost / TANTIVY_FACTOR, slack })
    }

    /// By which factor a document's score may exceed the maximum that is stored for its block of postings.
    ///
    /// Tantivy stores for each block the (length, frequency) pair that scores highest with the average length it knew
    /// then: the segment's tokens by all its documents. With another average another pair may be the best, but by no
    /// more than the quotient of the two averages, since k1 (1 - b + b dl / average) changes by no more than that.
    pub fn pruning_slack(&self) -> Score {
        self.slack
    }
}

fn statistics_of(s: &QeSearcher, info: &FieldInfo, term: &Term) -> tantivy::Result<(Statistics, Score)> {
    let mut sum = Statistics { docs: 0, tokens: 0, freq: 0 };
    let mut local_averages = Vec::new();
    for reader in s.searcher.segment_readers() {
        let inverted = reader.inverted_index(info.field)?;
        let tokens = inverted.total_num_tokens();
        sum.docs += s.stats.docs_with_field(reader, info)?;
        sum.tokens += tokens;
        sum.freq += u64::from(inverted.doc_freq(term)?);
        local_averages.push(tokens as Score / reader.max_doc().max(1) as Score);
    }
    // Every document with the term has the field, so this changes nothing, unless the field has no column to count by.
    sum.docs = sum.docs.max(sum.freq).max(1);
    sum.tokens = sum.tokens.max(1);
    let average = sum.tokens as Score / sum.docs as Score;
    let is_used = |local: &Score| *local > 0.0;
    let slack = local_averages
        .into_iter()
        .filter(is_used)
        .fold(1.0, |slack: Score, local| slack.max(average / local).max(local / average));
    Ok((sum, slack))
}

impl Weight for TermWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        self.inner.scorer(reader, boost * self.boost)
    }

    fn explain(&self, _reader: &SegmentReader, _doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument("explanations are not offered".to_string()))
    }

    fn count(&self, reader: &SegmentReader) -> tantivy::Result<u32> {
        self.inner.count(reader)
    }

    fn for_each_no_score(&self, reader: &SegmentReader, callback: &mut dyn FnMut(&[DocId])) -> tantivy::Result<()> {
        self.inner.for_each_no_score(reader, callback)
    }
}
