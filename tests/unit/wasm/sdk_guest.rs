// SPDX-License-Identifier: Apache-2.0

//! A function that uses all of sdk/rust; compiled for wasm32 and run by test_wasm_sdk.c, as sdk_guest.c is.

#![no_std]

use quidditch_udf::batch::{Block, Column};
use quidditch_udf::{
    fail, log, panic_handler, param, score, set_result, set_result_missing, Buffer, Context, Error, Field, LazyField,
    Level, Result,
};

panic_handler!(log);

static PRICE: LazyField = LazyField::new("price");

/// The same document by handle.
fn agrees(price: f64, stock: i64, name: &str) -> Result<bool> {
    let (names, stocks) = (Field::new("name").ok_or(Error::Bad)?, Field::new("stock").ok_or(Error::Bad)?);
    let (mut first, mut second) = (Buffer::<32>::new(), Buffer::<32>::new());
    let prices = PRICE.get();
    Ok(prices.is_valid()
        && prices.f64() == Some(price)
        && prices.f64_or_0() == price
        && stocks.i64() == Some(stock)
        && names.f64().is_none()
        && names.string(&mut first)? == name
        && names.count() == 1
        && prices.f64_at(0)? == price
        && stocks.i64_at(0)? == stock
        && names.string_at(0, &mut first)? == name
        && names.string_at(1, &mut second) == Err(Error::Missing))
}

fn sum(ctx: Context) -> Result<f64> {
    let price = match ctx.f64("price") {
        Err(Error::Missing) => {
            log(Level::Warning, "no price");
            return Ok(-1.0);
        }
        other => other?,
    };
    let (mut name, mut id, mut target, mut small) =
        (Buffer::<32>::new(), Buffer::<32>::new(), Buffer::<32>::new(), Buffer::<2>::new());
    let (stock, flag) = (ctx.i64("stock")?, ctx.bool("flag")?);
    let (name, id, target) = (ctx.string("name", &mut name)?, ctx.id(&mut id)?, param::string("target", &mut target)?);
    let (boost, limit, fuzzy) = (param::f64("boost")?, param::i64("limit")?, param::bool("fuzzy")?);
    if !ctx.has("name")
        || ctx.has("nothing")
        || ctx.string("price", &mut small) != Err(Error::WrongType)
        || ctx.string("name", &mut small) != Err(Error::TooSmall(name.len()))
        || param::i64("nothing") != Err(Error::Missing)
    {
        fail("the errors are not what they should be")
    }
    if !agrees(price, stock, name)? || ctx.count("price") != 1 || score() != ctx.score() {
        fail("handles do not agree with names")
    }
    if stock == 40 {
        set_result_missing()
    }
    if stock < 0 {
        set_result("never here")
    }
    let first_letters = [(name, 'd'), (id, 'i'), (target, 'p')].iter().filter(|(t, c)| t.starts_with(*c)).count();
    Ok(price
        + stock as f64
        + f64::from(u8::from(flag))
        + boost
        + limit as f64
        + f64::from(u8::from(fuzzy))
        + ctx.score()
        + (name.len() + id.len() + target.len() + first_letters) as f64)
}

#[no_mangle]
pub extern "C" fn f(ctx: Context) -> f64 {
    sum(ctx).unwrap_or(-2.0)
}

/// Panics at a document with a price of 3 or more.
#[no_mangle]
pub extern "C" fn panics(ctx: Context) -> f64 {
    let price = ctx.f64("price").unwrap_or(0.0);
    [0.0, 1.5, 3.0][(price / 1.5) as usize]
}

/// The batch shape: relevance times price, and no result where there is no price.
#[no_mangle]
pub unsafe extern "C" fn batch(n: u32, columns: *const Column, out: *mut Column) {
    let mut block = Block::new(n, columns, 2, out);
    let (relevance, price) = (block.column(0), block.column(1));
    for ((result, r), p) in block.out.f64_mut().iter_mut().zip(relevance.f64()).zip(price.f64()) {
        *result = r * p;
    }
    if let Some(valid) = price.valid() {
        block.out.valid_mut().copy_from_slice(valid)
    }
}
