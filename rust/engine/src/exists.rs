// SPDX-License-Identifier: Apache-2.0
//! Documents whose text field has at least one token: those whose norm is not zero.

use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::SegmentReader;
use tantivy::query::{ConstScorer, EmptyScorer, Explanation, Scorer, Weight};
use tantivy::schema::Field;
use tantivy::{DocId, DocSet, Score, TERMINATED, TantivyError};

pub struct TextExistsWeight(pub Field);

impl Weight for TextExistsWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let Some(norms) = reader.fieldnorms_readers().get_field(self.0)? else {
            return Ok(Box::new(EmptyScorer));
        };
        let mut docs = NonZeroNorms { norms, doc: 0, max_doc: reader.max_doc() };
        docs.move_to(0);
        Ok(Box::new(ConstScorer::new(docs, boost)))
    }

    fn explain(&self, _reader: &SegmentReader, _doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument("explanations are not offered".to_string()))
    }
}

struct NonZeroNorms {
    norms: FieldNormReader,
    doc: DocId,
    max_doc: DocId,
}

impl NonZeroNorms {
    fn move_to(&mut self, from: DocId) -> DocId {
        self.doc = (from..self.max_doc).find(|doc| self.norms.fieldnorm_id(*doc) > 0).unwrap_or(TERMINATED);
        self.doc
    }
}

impl DocSet for NonZeroNorms {
    fn advance(&mut self) -> DocId {
        if self.doc == TERMINATED { TERMINATED } else { self.move_to(self.doc + 1) }
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if target <= self.doc { self.doc } else { self.move_to(target) }
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.max_doc
    }
}
