// SPDX-License-Identifier: Apache-2.0
//! Functions of joined modules, with calls from part to part inlined.
//!
//! A call leaves its arguments in locals of the caller, and the callee's body becomes a block, whose label stands where
//! the label of the function stood: branches keep their depth, and `return` is a branch out of the block. Calls within
//! a part were for its compiler to inline; they stay, so that their functions are seen in backtraces.

use wasm_encoder::reencode::Reencode;
use wasm_encoder::{BlockType, CodeSection, Function, Instruction, ValType};
use wasmparser::{FuncType, FunctionBody, Operator};

use super::map::Map;
use super::{Answers, Part};
use crate::error::{Failure, Result};

/// Of a callee, in instructions: a longer one takes much more time than a call to it.
const MAX_INLINED: usize = 128;
/// What inlining may add to a function, in instructions: one that is all calls would become ten times as long.
const MAX_ADDED: usize = 1 << 14;
/// The same of all functions of the first part together. Those of the others, which call it for each row, always have
/// room.
const MAX_ADDED_TO_FIRST: usize = 1 << 18;

/// A function that a part defines: the part, and the place among its bodies.
type Target = (usize, usize);

/// A function that can be inlined.
struct Callee {
    target: Target,
    n_instructions: usize,
    /// Parameters and locals, and where the caller has the first of them.
    types: Vec<ValType>,
    base: u32,
}

/// The locals of a function that is being written: its own, then those of each callee, once.
#[derive(Default)]
struct Locals {
    n_own: u32,
    added: Vec<ValType>,
    callees: Vec<Callee>,
}

struct Inliner<'p, 'a> {
    parts: &'p mut [Part<'a>],
    /// By part, for its imported functions: what another part answers them with.
    targets: Vec<Vec<Option<Target>>>,
    /// Where instructions came from, when somebody wants to know.
    map: Option<&'p mut Map>,
    /// Instructions that inlining may still add: to the function that is being written, to those of the first part.
    room: usize,
    room_in_first: usize,
}

fn targets_of(parts: &[Part], answers: &Answers, p: usize) -> Vec<Option<Target>> {
    let functions = parts[p].imports.iter().enumerate().filter(|(_, import)| import.space == 0);
    let target = |(i, _)| {
        let &(of, e) = answers.get(&(p, i))?;
        let n_imported = parts[of].function_types.len() - parts[of].bodies.len();
        Some((of, (parts[of].exports[e].index as usize).checked_sub(n_imported)?))
    };
    functions.map(target).collect()
}

impl<'a> Inliner<'_, 'a> {
    fn target(&self, p: usize, function: u32) -> Option<Target> {
        self.targets[p].get(function as usize).copied().flatten()
    }

    fn type_of(&self, (p, body): Target) -> Option<&FuncType> {
        let part = &self.parts[p];
        let function = part.function_types.len() - part.bodies.len() + body;
        part.types.get(*part.function_types.get(function)? as usize)?.as_ref()
    }

    /// Parameters and locals, for a caller to have; `None`: of a kind that has no zero, or more than one result.
    fn locals_of(&mut self, target: Target) -> Result<Option<Vec<ValType>>> {
        let Some(t) = self.type_of(target).cloned() else { return Ok(None) };
        let mut types = t.params().to_vec();
        for group in self.parts[target.0].bodies[target.1].get_locals_reader()? {
            let (n, ty) = group?;
            if types.len() + n as usize > MAX_INLINED {
                return Ok(None);
            }
            types.extend(std::iter::repeat_n(ty, n as usize));
        }
        if t.results().len() > 1 || types.iter().any(|ty| ty.is_reference_type()) {
            return Ok(None);
        }
        let types =
            types.into_iter().map(|ty| self.parts[target.0].val_type(ty)).collect::<std::result::Result<_, _>>()?;
        Ok(Some(types))
    }

    /// Gives all callees that can be inlined their locals. `active`: those that are being inlined, which cannot be once
    /// more.
    fn plan(&mut self, p: usize, body: &FunctionBody<'a>, active: &mut Vec<Target>, locals: &mut Locals) -> Result<()> {
        for op in body.get_operators_reader()? {
            let Operator::Call { function_index } = op? else { continue };
            let Some(target) = self.target(p, function_index) else { continue };
            if active.contains(&target) || locals.callees.iter().any(|callee| callee.target == target) {
                continue;
            }
            let body = self.parts[target.0].bodies[target.1].clone();
            let n_instructions = body.get_operators_reader()?.into_iter().take(MAX_INLINED + 1).count();
            if n_instructions > MAX_INLINED {
                continue;
            }
            let Some(types) = self.locals_of(target)? else { continue };
            let base = locals.n_own + locals.added.len() as u32;
            locals.added.extend(&types);
            locals.callees.push(Callee { target, n_instructions, types, base });
            active.push(target);
            self.plan(target.0, &body, active, locals)?;
            active.pop();
        }
        Ok(())
    }

    /// What is written next comes from there.
    fn note(&mut self, (p, function): Target, offset: usize, out: &Function) {
        if let Some(map) = &mut self.map {
            let n_imported = self.parts[p].function_types.len() - self.parts[p].bodies.len();
            map.note(out.byte_len(), (p == 0).then_some((n_imported + function, offset)));
        }
    }

    /// The instructions of a body; of an inlined one the locals begin at `base`.
    fn write(
        &mut self,
        (p, function): Target,
        base: Option<u32>,
        locals: &Locals,
        active: &mut Vec<Target>,
        out: &mut Function,
    ) -> Result<()> {
        let mut depth = 0;
        let body = self.parts[p].bodies[function].clone();
        for op in body.get_operators_reader()?.into_iter_with_offsets() {
            let (op, offset) = op?;
            self.note((p, function), offset, out);
            match op {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => depth += 1,
                Operator::End => depth -= 1,
                _ => {}
            }
            match (op, base) {
                (Operator::Return, Some(_)) => {
                    out.instruction(&Instruction::Br(depth as u32));
                }
                (Operator::LocalGet { local_index }, Some(base)) => {
                    out.instruction(&Instruction::LocalGet(base + local_index));
                }
                (Operator::LocalSet { local_index }, Some(base)) => {
                    out.instruction(&Instruction::LocalSet(base + local_index));
                }
                (Operator::LocalTee { local_index }, Some(base)) => {
                    out.instruction(&Instruction::LocalTee(base + local_index));
                }
                (Operator::Call { function_index }, _) => self.write_call(p, function_index, locals, active, out)?,
                (op, _) => {
                    out.instruction(&self.parts[p].instruction(op)?);
                }
            }
        }
        Ok(())
    }

    fn write_call(
        &mut self,
        p: usize,
        function: u32,
        locals: &Locals,
        active: &mut Vec<Target>,
        out: &mut Function,
    ) -> Result<()> {
        let planned = self
            .target(p, function)
            .filter(|target| !active.contains(target))
            .and_then(|target| locals.callees.iter().find(|callee| callee.target == target))
            .filter(|callee| callee.n_instructions <= self.room);
        let Some(&Callee { target, n_instructions, ref types, base }) = planned else {
            out.instruction(&Instruction::Call(self.parts[p].function_index(function)?));
            return Ok(());
        };
        self.room -= n_instructions;
        let Some(t) = self.type_of(target).cloned() else { return Err(Failure::invalid("a function without a type")) };
        if target.0 == 0 {
            // Code generators may give its first instruction the place of what sets its locals.
            let first = self.parts[0].bodies[target.1].get_operators_reader()?.original_position();
            self.note(target, first, out);
        }
        let n_params = t.params().len() as u32;
        for i in (0..n_params).rev() {
            out.instruction(&Instruction::LocalSet(base + i));
        }
        for (i, ty) in types.iter().enumerate().skip(n_params as usize) {
            out.instruction(&match ty {
                ValType::I32 => Instruction::I32Const(0),
                ValType::I64 => Instruction::I64Const(0),
                ValType::F32 => Instruction::F32Const(0.0.into()),
                ValType::F64 => Instruction::F64Const(0.0.into()),
                _ => Instruction::V128Const(0),
            });
            out.instruction(&Instruction::LocalSet(base + i as u32));
        }
        out.instruction(&Instruction::Block(match t.results().first() {
            Some(ty) => BlockType::Result(self.parts[target.0].val_type(*ty)?),
            None => BlockType::Empty,
        }));
        active.push(target);
        self.write(target, Some(base), locals, active, out)?; // its last `end` closes the block
        active.pop();
        Ok(())
    }

    fn function(&mut self, p: usize, body: usize) -> Result<Function> {
        let own = self.parts[p].bodies[body].clone();
        let params = self.type_of((p, body)).map_or(0, |t| t.params().len() as u32);
        let mut groups = Vec::new();
        let mut locals = Locals { n_own: params, ..Locals::default() };
        for group in own.get_locals_reader()? {
            let (n, ty) = group?;
            groups.push((n, self.parts[p].val_type(ty)?));
            locals.n_own += n;
        }
        let mut active = vec![(p, body)];
        self.plan(p, &own, &mut active, &mut locals)?;
        groups.extend(locals.added.iter().map(|ty| (1, *ty)));
        let room = if p == 0 { self.room_in_first.min(MAX_ADDED) } else { MAX_ADDED };
        self.room = room;
        let mut out = Function::new(groups);
        if let Some(map) = &mut self.map {
            // Likewise the place of its locals, which must not pass for the end of the function before it.
            let n_imported = self.parts[p].function_types.len() - self.parts[p].bodies.len();
            map.note(0, (p == 0).then_some((n_imported + body, own.get_operators_reader()?.original_position())));
        }
        self.write((p, body), None, &locals, &mut active, &mut out)?;
        if p == 0 {
            self.room_in_first -= room - self.room;
        }
        Ok(out)
    }
}

/// The code of all parts, in their order.
pub fn add_code(parts: &mut [Part], answers: &Answers, code: &mut CodeSection, map: Option<&mut Map>) -> Result<()> {
    let targets = (0..parts.len()).map(|p| targets_of(parts, answers, p)).collect();
    let mut inliner = Inliner { parts, targets, map, room: 0, room_in_first: MAX_ADDED_TO_FIRST };
    for p in 0..inliner.parts.len() {
        for body in 0..inliner.parts[p].bodies.len() {
            let function = inliner.function(p, body)?;
            code.function(&function);
            if let Some(map) = &mut inliner.map {
                map.place(code.byte_len() - function.byte_len());
            }
        }
    }
    Ok(())
}
