// SPDX-License-Identifier: Apache-2.0
//! Queries as C builds them: a tree of plain data, which weight.rs turns into Tantivy's weights.

use std::ffi::{c_char, c_int, c_void};
use std::ops::Bound;
use std::sync::Arc;

use tantivy::Term;
use tantivy::schema::Field;

use crate::blocks::{Callbacks, QeBlockFns};
use crate::error::guard_or;
use crate::ffi;
use crate::schema::{self, FieldInfo, Kind};
use crate::searcher::QeSearcher;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occur {
    Must,
    Should,
    MustNot,
    Filter,
}

/// In the order of `qe_occur`.
const OCCURS: [Occur; 4] = [Occur::Must, Occur::Should, Occur::MustNot, Occur::Filter];

pub enum Query {
    All,
    None,
    Term { info: FieldInfo, term: Term },
    AnyTerm { terms: Vec<Term> },
    Range { lower: Bound<Term>, upper: Bound<Term> },
    Exists { info: FieldInfo },
    Bool { clauses: Vec<(Occur, Query)>, minimum_should_match: usize },
    Boost { inner: Box<Query>, boost: f32 },
    Constant { inner: Box<Query>, score: f32 },
    DisMax { clauses: Vec<Query>, tie_breaker: f32 },
    Blocks { inner: Box<Query>, needs_inner_scores: bool, callbacks: Arc<Callbacks> },
}

/// `qe_term` of engine.h.
#[repr(C)]
pub struct QeTerm {
    kind: c_int,
    s: *const c_char,
    n: usize,
    i: i64,
}

/// `qe_bound` of engine.h.
#[repr(C)]
pub struct QeBound {
    inclusive: bool,
    i: i64,
    f: f64,
    s: *const c_char,
    n: usize,
}

/// Runs a constructor: `None` and panics become NULL.
fn construct(body: impl FnOnce() -> Option<Query>) -> *mut Query {
    guard_or(std::ptr::null_mut(), || body().map_or(std::ptr::null_mut(), |q| Box::into_raw(Box::new(q))))
}

/// Takes a query from C.
unsafe fn take(query: *mut Query) -> Option<Box<Query>> {
    if query.is_null() { None } else { Some(unsafe { Box::from_raw(query) }) }
}

/// Takes all queries of an array, so that none is lost when one is NULL.
unsafe fn take_all(queries: *const *mut Query, n: usize) -> Option<Vec<Query>> {
    let taken: Vec<_> = unsafe { ffi::slice(queries, n) }.iter().map(|q| unsafe { take(*q) }).collect();
    taken.into_iter().map(|q| q.map(|q| *q)).collect()
}

fn text_term(field: Field, p: *const c_char, n: usize) -> Option<Term> {
    unsafe { ffi::text(p, n, "term") }.ok().map(|text| Term::from_field_text(field, text))
}

/// The term of an indexed field; `None` when its kind is not the field's.
fn term_of(info: &FieldInfo, term: &QeTerm) -> Option<Term> {
    if !info.is_indexed || Kind::from_c(term.kind)? != info.kind {
        return None;
    }
    match info.kind {
        Kind::Text | Kind::Keyword => text_term(info.field, term.s, term.n),
        Kind::I64 => Some(Term::from_field_i64(info.field, term.i)),
        Kind::Bool => Some(Term::from_field_bool(info.field, term.i != 0)),
        Kind::F64 | Kind::Date => None,
    }
}

fn bound_of(info: &FieldInfo, bound: *const QeBound) -> Option<Bound<Term>> {
    let Some(bound) = (unsafe { bound.as_ref() }) else {
        return Some(Bound::Unbounded);
    };
    let term = match info.kind {
        Kind::I64 | Kind::Date => Term::from_field_i64(info.field, bound.i),
        Kind::F64 => Term::from_field_f64(info.field, bound.f),
        Kind::Keyword => text_term(info.field, bound.s, bound.n)?,
        Kind::Text | Kind::Bool => return None,
    };
    Some(if bound.inclusive { Bound::Included(term) } else { Bound::Excluded(term) })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_all() -> *mut Query {
    construct(|| Some(Query::All))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_none() -> *mut Query {
    construct(|| Some(Query::None))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_term(s: *const QeSearcher, field: u32, term: *const QeTerm) -> *mut Query {
    construct(|| {
        let info = unsafe { &*s }.field(field)?;
        let term = term_of(info, unsafe { &*term })?;
        Some(Query::Term { info: info.clone(), term })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_terms(s: *const QeSearcher, field: u32, terms: *const QeTerm, n: usize) -> *mut Query {
    construct(|| {
        let info = unsafe { &*s }.field(field)?;
        let terms: Option<Vec<Term>> = unsafe { ffi::slice(terms, n) }.iter().map(|t| term_of(info, t)).collect();
        Some(Query::AnyTerm { terms: terms? })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_ids(_s: *const QeSearcher, ids: *const QeTerm, n: usize) -> *mut Query {
    construct(|| {
        let terms = unsafe { ffi::slice(ids, n) }
            .iter()
            .map(|id| Term::from_field_bytes(schema::ID, unsafe { ffi::bytes(id.s, id.n) }))
            .collect();
        Some(Query::AnyTerm { terms })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_range(
    s: *const QeSearcher,
    field: u32,
    lower: *const QeBound,
    upper: *const QeBound,
) -> *mut Query {
    construct(|| {
        let info = unsafe { &*s }.field(field)?;
        let (lower, upper) = (bound_of(info, lower)?, bound_of(info, upper)?);
        if !info.has_column {
            return None;
        }
        Some(match (&lower, &upper) {
            (Bound::Unbounded, Bound::Unbounded) => Query::Exists { info: info.clone() },
            _ => Query::Range { lower, upper },
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_exists(s: *const QeSearcher, field: u32) -> *mut Query {
    construct(|| {
        let info = unsafe { &*s }.field(field)?;
        let can_tell = if info.kind == Kind::Text { info.is_indexed } else { info.has_column };
        can_tell.then(|| Query::Exists { info: info.clone() })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_bool(
    n: usize,
    occurs: *const c_int,
    queries: *const *mut Query,
    minimum_should_match: u32,
) -> *mut Query {
    construct(|| {
        let queries = unsafe { take_all(queries, n) }?;
        let occurs: Option<Vec<Occur>> =
            unsafe { ffi::slice(occurs, n) }.iter().map(|o| OCCURS.get(usize::try_from(*o).ok()?).copied()).collect();
        let clauses = occurs?.into_iter().zip(queries).collect();
        Some(Query::Bool { clauses, minimum_should_match: minimum_should_match as usize })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_boost(inner: *mut Query, boost: f32) -> *mut Query {
    construct(|| Some(Query::Boost { inner: unsafe { take(inner) }?, boost }))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_constant(inner: *mut Query, score: f32) -> *mut Query {
    construct(|| Some(Query::Constant { inner: unsafe { take(inner) }?, score }))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_dis_max(n: usize, queries: *const *mut Query, tie_breaker: f32) -> *mut Query {
    construct(|| Some(Query::DisMax { clauses: unsafe { take_all(queries, n) }?, tie_breaker }))
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_blocks(
    inner: *mut Query,
    needs_inner_scores: bool,
    fns: *const QeBlockFns,
    arg: *mut c_void,
) -> *mut Query {
    construct(|| {
        // From here on `arg` is released whatever happens.
        let callbacks = Arc::new(Callbacks::new(unsafe { *fns }, arg));
        Some(Query::Blocks { inner: unsafe { take(inner) }?, needs_inner_scores, callbacks })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_query_free(query: *mut Query) {
    guard_or((), || drop(unsafe { take(query) }));
}
