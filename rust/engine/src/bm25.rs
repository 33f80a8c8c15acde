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
use tantivy::directory::OwnedBytes;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::{SegmentId, SegmentReader};
use tantivy::postings::BlockSegmentPostings;
use tantivy::query::{Bm25StatisticsProvider, EnableScoring, Explanation, Query as _, Scorer, TermQuery, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, Score, Searcher, TantivyError, Term};

use crate::schema::{FieldInfo, Kind};
use crate::searcher::QeSearcher;

const K1: Score = 1.2;
const B: Score = 0.75;
/// What Tantivy multiplies in and Lucene, since version 8, does not.
const TANTIVY_FACTOR: Score = 1.0 + K1;

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

/// What scores one term, spelled out for terms.rs: the same operations in the same order as Tantivy's `Bm25Weight`.
pub struct Bm25 {
    field: Field,
    has_norms: bool,
    weight: Score,
    /// k1 (1 - b + b dl / average) by the norm of the document.
    lengths: [Score; 256],
}

impl Bm25 {
    fn new(info: &FieldInfo, statistics: &Statistics, boost: Score) -> Bm25 {
        let (docs, freq) = (statistics.docs, statistics.freq);
        let x = ((docs - freq) as Score + 0.5) / (freq as Score + 0.5);
        let idf = (1.0 + x).ln();
        let average = statistics.tokens as Score / docs as Score;
        let mut lengths = [0.0; 256];
        for (id, length) in lengths.iter_mut().enumerate() {
            *length = K1 * (1.0 - B + B * FieldNormReader::id_to_fieldnorm(id as u8) as Score / average);
        }
        let mut weight = idf * (1.0 + K1);
        if boost != 1.0 {
            weight *= boost;
        }
        Bm25 { field: info.field, has_norms: info.kind == Kind::Text, weight, lengths }
    }

    pub fn has_norms(&self) -> bool {
        self.has_norms
    }

    /// A norm for each document of a segment; `None` when the segment has none of the field.
    pub fn norms(&self, reader: &SegmentReader) -> tantivy::Result<Option<OwnedBytes>> {
        let file = reader.fieldnorms_readers().get_inner_file().open_read(self.field);
        Ok(file.map(|file| file.read_bytes()).transpose()?)
    }

    /// Scores up to `N` documents.
    pub fn score<const N: usize>(&self, docs: &[DocId], freqs: &[u32], norms: &[u8], scores: &mut [Score; N]) {
        let mut lengths = [0.0; N];
        for (length, doc) in lengths.iter_mut().zip(docs) {
            *length = self.lengths[norms[*doc as usize] as usize];
        }
        for ((score, freq), length) in scores.iter_mut().zip(freqs).zip(&lengths) {
            // Frequencies are far below 2^31, where signed and unsigned convert alike, and signed faster.
            let freq = *freq as i32 as Score;
            *score = self.weight * (freq / (freq + length));
        }
    }

    /// What a document scores in a field that keeps neither frequencies nor norms: once, in a field of length one.
    pub fn score_without_norms(&self) -> Score {
        self.weight * (1.0 / (1.0 + self.lengths[usize::from(FieldNormReader::fieldnorm_to_id(1))]))
    }
}

/// A term of an indexed field.
#[derive(Clone)]
pub struct TermWeight {
    term: Term,
    record: IndexRecordOption,
    /// `None`: matches do not score.
    bm25: Option<Arc<Bm25>>,
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
        let has_freqs = is_scoring && info.kind == Kind::Text;
        let record = if has_freqs { IndexRecordOption::WithFreqs } else { IndexRecordOption::Basic };
        let query = TermQuery::new(term.clone(), record);
        if !is_scoring {
            let inner = Arc::from(query.weight(EnableScoring::disabled_from_searcher(&s.searcher))?);
            return Ok(TermWeight { term, record, bm25: None, inner, boost: 1.0, slack: 1.0 });
        }
        let (statistics, slack) = statistics_of(s, info, &term)?;
        let boost = boost / TANTIVY_FACTOR;
        let bm25 = Some(Arc::new(Bm25::new(info, &statistics, boost)));
        let scoring = EnableScoring::enabled_from_statistics_provider(&statistics, &s.searcher);
        Ok(TermWeight { term, record, bm25, inner: Arc::from(query.weight(scoring)?), boost, slack })
    }

    /// By which factor a document's score may exceed the maximum that is stored for its block of postings.
    ///
    /// Tantivy stores for each block the (length, frequency) pair that scores highest with the average length it knew
    /// then: the segment's tokens by all its documents. With another average another pair may be the best, but by no
    /// more than the quotient of the two averages, since k1 (1 - b + b dl / average) changes by no more than that.
    pub fn pruning_slack(&self) -> Score {
        self.slack
    }

    pub fn bm25(&self) -> Option<&Bm25> {
        self.bm25.as_deref()
    }

    pub fn doc_freq(&self, reader: &SegmentReader) -> tantivy::Result<u32> {
        Ok(reader.inverted_index(self.term.field())?.doc_freq(&self.term)?)
    }

    /// The postings as they are stored; `None` when the segment does not have the term.
    pub fn block_postings(&self, reader: &SegmentReader) -> tantivy::Result<Option<BlockSegmentPostings>> {
        let inverted = reader.inverted_index(self.term.field())?;
        let Some(info) = inverted.get_term_info(&self.term)? else {
            return Ok(None);
        };
        Ok(Some(inverted.read_block_postings_from_terminfo(&info, self.record)?))
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
