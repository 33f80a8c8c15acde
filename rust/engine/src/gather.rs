// SPDX-License-Identifier: Apache-2.0
//! Documents on their way out of a segment: gathered into blocks, the deleted ones left behind.

use tantivy::fastfield::AliveBitSet;
use tantivy::index::SegmentReader;
use tantivy::{DocId, Score};

pub const BLOCK_DOCS: usize = 2048;

/// Takes a block of live documents in ascending order, which it may overwrite.
pub type Sink<'a> = &'a mut dyn FnMut(&mut [DocId], &mut [Score]);

pub struct Gather<'a> {
    alive: Option<&'a AliveBitSet>,
    sink: Sink<'a>,
    /// What documents score that come without a score.
    constant: Score,
    n: usize,
    docs: Box<[DocId; BLOCK_DOCS]>,
    scores: Box<[Score; BLOCK_DOCS]>,
}

impl<'a> Gather<'a> {
    pub fn new(reader: &'a SegmentReader, constant: Score, sink: Sink<'a>) -> Gather<'a> {
        let (docs, scores) = (Box::new([0; BLOCK_DOCS]), Box::new([constant; BLOCK_DOCS]));
        Gather { alive: reader.alive_bitset(), sink, constant, n: 0, docs, scores }
    }

    #[inline]
    pub fn push(&mut self, doc: DocId, score: Score) {
        if self.alive.is_none_or(|alive| alive.is_alive(doc)) {
            self.docs[self.n] = doc;
            self.scores[self.n] = score;
            self.n += 1;
            if self.n == BLOCK_DOCS {
                self.flush();
            }
        }
    }

    #[inline]
    pub fn push_constant(&mut self, doc: DocId) {
        self.push(doc, self.constant);
    }

    /// Documents with their scores.
    pub fn extend_scored(&mut self, docs: &[DocId], scores: &[Score]) {
        if self.alive.is_some() {
            docs.iter().zip(scores).for_each(|(doc, score)| self.push(*doc, *score));
            return;
        }
        let mut at = 0;
        while at < docs.len() {
            let n = (docs.len() - at).min(BLOCK_DOCS - self.n);
            self.scores[self.n..self.n + n].copy_from_slice(&scores[at..at + n]);
            self.append(&docs[at..at + n]);
            at += n;
        }
    }

    /// Documents that all score the constant.
    pub fn extend(&mut self, docs: &[DocId]) {
        if self.alive.is_some() {
            docs.iter().for_each(|doc| self.push(*doc, self.constant));
            return;
        }
        let mut at = 0;
        while at < docs.len() {
            let n = (docs.len() - at).min(BLOCK_DOCS - self.n);
            self.append(&docs[at..at + n]);
            at += n;
        }
    }

    /// The documents `0..end`, which all score the constant.
    pub fn extend_all(&mut self, end: DocId) {
        let Some(alive) = self.alive else {
            let mut next = 0;
            while next < end {
                let n = ((end - next) as usize).min(BLOCK_DOCS - self.n);
                self.docs[self.n..self.n + n].iter_mut().zip(next..).for_each(|(to, doc)| *to = doc);
                self.added(n);
                next += n as DocId;
            }
            return;
        };
        for doc in 0..end {
            // Without a branch: which documents are deleted cannot be foretold.
            self.docs[self.n] = doc;
            self.n += usize::from(alive.is_alive(doc));
            if self.n == BLOCK_DOCS {
                self.flush();
            }
        }
    }

    /// Room for these documents is known to be there.
    fn append(&mut self, docs: &[DocId]) {
        self.docs[self.n..self.n + docs.len()].copy_from_slice(docs);
        self.added(docs.len());
    }

    fn added(&mut self, n: usize) {
        self.n += n;
        if self.n == BLOCK_DOCS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let n = std::mem::take(&mut self.n);
        if n > 0 {
            (self.sink)(&mut self.docs[..n], &mut self.scores[..n]);
            // Who got the block may have scored it.
            self.scores[..n].fill(self.constant);
        }
    }

    pub fn finish(mut self) {
        self.flush();
    }
}
