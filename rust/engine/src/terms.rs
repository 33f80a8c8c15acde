// SPDX-License-Identifier: Apache-2.0
//! Any of some terms, every match wanted: the common case of a search whose hits are counted, sorted or given to a
//! function.
//!
//! Tantivy's union asks each scorer document by document. Here postings are taken as they are stored, 128 at a time:
//! scores are computed in loops that the compiler vectorizes and added up in a window of documents. The arithmetic is
//! that of Tantivy's TermScorer, operation by operation, so that both give the same score to the last bit.

use tantivy::directory::OwnedBytes;
use tantivy::index::SegmentReader;
use tantivy::postings::BlockSegmentPostings;
use tantivy::query::{BooleanWeight, Occur, SumCombiner, Weight};
use tantivy::{DocId, Score};

use crate::bm25::{Bm25, TermWeight};
use crate::gather::Gather;

/// Documents per window: their scores fit the first-level cache.
const WINDOW: usize = 4096;
/// Documents per stored block.
const CHUNK: usize = 128;

pub struct TermsWeight {
    terms: Vec<TermWeight>,
    /// The same as a weight of Tantivy's, which others can be built on and which prunes.
    weight: BooleanWeight<SumCombiner>,
    scores: bool,
}

impl TermsWeight {
    pub fn new(terms: Vec<TermWeight>, scores: bool) -> TermsWeight {
        let should = |term: &TermWeight| (Occur::Should, Box::new(term.clone()) as Box<dyn Weight>);
        let clauses = terms.iter().map(should).collect();
        let combiner = Box::new(SumCombiner::default);
        let weight = BooleanWeight::with_minimum_number_should_match(clauses, 0, scores, combiner);
        TermsWeight { terms, weight, scores }
    }

    pub fn weight(&self) -> &dyn Weight {
        &self.weight
    }

    /// The number of matches when no posting has to be read for it.
    pub fn cheap_count(&self, reader: &SegmentReader) -> tantivy::Result<Option<u64>> {
        match self.terms.as_slice() {
            [term] if !reader.has_deletes() => Ok(Some(u64::from(term.doc_freq(reader)?))),
            _ => Ok(None),
        }
    }

    /// Whether block maxima save more than it costs to look at them, which takes one term that outweighs all others by
    /// far: as soon as it alone cannot make a document one of the best, its postings are skipped. Measured, terms alike
    /// are better read whole.
    pub fn is_worth_pruning(&self, reader: &SegmentReader) -> tantivy::Result<bool> {
        const OUTWEIGHS: u64 = 8;
        let (mut most, mut sum) = (0, 0);
        for term in &self.terms {
            let freq = u64::from(term.doc_freq(reader)?);
            most = most.max(freq);
            sum += freq;
        }
        Ok(sum >= (sum - most) * OUTWEIGHS)
    }

    pub fn drive(&self, reader: &SegmentReader, out: &mut Gather) -> tantivy::Result<()> {
        let mut cursors = Vec::with_capacity(self.terms.len());
        for term in &self.terms {
            if let Some(cursor) = Cursor::open(term, reader)? {
                cursors.push(cursor);
            }
        }
        match cursors.as_mut_slice() {
            [] => {}
            [cursor] => cursor.drive(out),
            _ => union(cursors, self.scores, out),
        }
        Ok(())
    }
}

/// A place in the postings of one term.
struct Cursor<'a> {
    postings: BlockSegmentPostings,
    at: usize,
    /// `None`: matches do not score.
    bm25: Option<&'a Bm25>,
    /// `None`: a field without norms, where every match scores the same.
    norms: Option<OwnedBytes>,
}

impl<'a> Cursor<'a> {
    fn open(term: &'a TermWeight, reader: &SegmentReader) -> tantivy::Result<Option<Cursor<'a>>> {
        let Some(postings) = term.block_postings(reader)? else {
            return Ok(None);
        };
        let norms = match term.bm25() {
            Some(bm25) if bm25.has_norms() => bm25.norms(reader)?,
            _ => None,
        };
        Ok(Some(Cursor { postings, at: 0, bm25: term.bm25(), norms }))
    }

    fn doc(&self) -> Option<DocId> {
        self.postings.docs().get(self.at).copied()
    }

    /// The scores of the block's documents `at..to`.
    fn score(&self, to: usize, scores: &mut [Score; CHUNK]) {
        let Some(bm25) = self.bm25 else {
            return;
        };
        let docs = &self.postings.docs()[self.at..to];
        match &self.norms {
            Some(norms) => bm25.score(docs, &self.postings.freqs()[self.at..to], norms.as_slice(), scores),
            None => scores[..docs.len()].fill(bm25.score_without_norms()),
        }
    }

    fn next_block(&mut self) {
        self.postings.advance();
        self.at = 0;
    }

    /// All documents, when this is the only term.
    fn drive(&mut self, out: &mut Gather) {
        let mut scores = [0.0; CHUNK];
        while self.doc().is_some() {
            let n = self.postings.docs().len();
            match self.bm25 {
                None => out.extend(self.postings.docs()),
                Some(_) => {
                    self.score(n, &mut scores);
                    out.extend_scored(self.postings.docs(), &scores[..n]);
                }
            }
            self.next_block();
        }
    }

    /// Adds the documents up to the window's end.
    fn add_to(&mut self, window: &mut Window) {
        let mut scores = [0.0; CHUNK];
        while self.doc().is_some_and(|doc| doc < window.end()) {
            let to = self.postings.docs().partition_point(|doc| *doc < window.end());
            self.score(to, &mut scores);
            window.add(&self.postings.docs()[self.at..to], self.bm25.map(|_| &scores));
            self.at = to;
            if to == self.postings.docs().len() {
                self.next_block();
            }
        }
    }
}

struct Window {
    base: DocId,
    /// 1 for each document that has a term. Bytes: for bits, each document would have to wait for the one before it.
    present: [u8; WINDOW],
    scores: [Score; WINDOW],
}

impl Window {
    fn new() -> Box<Window> {
        Box::new(Window { base: 0, present: [0; WINDOW], scores: [0.0; WINDOW] })
    }

    fn end(&self) -> DocId {
        self.base + WINDOW as DocId
    }

    fn add(&mut self, docs: &[DocId], scores: Option<&[Score; CHUNK]>) {
        match scores {
            Some(scores) => {
                for (doc, score) in docs.iter().zip(scores) {
                    let i = (doc - self.base) as usize % WINDOW;
                    self.present[i] = 1;
                    self.scores[i] += score;
                }
            }
            None => {
                for doc in docs {
                    self.present[(doc - self.base) as usize % WINDOW] = 1;
                }
            }
        }
    }

    /// Hands everything over and is empty again.
    fn drain(&mut self, has_scores: bool, out: &mut Gather) {
        let groups = self.present.as_chunks_mut::<64>().0.iter_mut().zip(self.scores.as_chunks_mut::<64>().0);
        for ((present, scores), first) in groups.zip((self.base..).step_by(64)) {
            let mut bits = bits_of(present);
            if bits == 0 {
                continue;
            }
            present.fill(0);
            while bits != 0 {
                let i = bits.trailing_zeros();
                bits &= bits - 1;
                if has_scores {
                    out.push(first + i, std::mem::take(&mut scores[i as usize]));
                } else {
                    out.push_constant(first + i);
                }
            }
        }
    }
}

/// Bit i is set where byte i is 1.
fn bits_of(bytes: &[u8; 64]) -> u64 {
    // Of eight bytes that are 0 or 1, this product has byte i as bit i of its highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let eights = bytes.as_chunks::<8>().0.iter().enumerate();
    eights.fold(0, |bits, (i, eight)| bits | (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56) << (i * 8))
}

fn union(mut cursors: Vec<Cursor>, has_scores: bool, out: &mut Gather) {
    let mut window = Window::new();
    while let Some(base) = cursors.iter().filter_map(Cursor::doc).min() {
        window.base = base;
        for cursor in &mut cursors {
            cursor.add_to(&mut window);
        }
        window.drain(has_scores, out);
    }
}
