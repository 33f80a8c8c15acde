// SPDX-License-Identifier: Apache-2.0
//! How long a module can run at most, from its call graph.
//!
//! Without loops each instruction of a function runs at most once per call, so a call costs at most its instructions
//! and the calls among them. Calls may still double from function to function, which is why the sum saturates rather
//! than overflows.

use wasmparser::{FunctionBody, Operator};

use super::cost;

/// What a call of the host is taken for: one that answers from what it has at hand. Whoever relies on the sum knows
/// which imports are such.
const IMPORT_COST: u64 = 64;

struct Function {
    cost: u64,
    has_loop: bool,
    calls_indirectly: bool,
    /// Its part of `Graph::callees`.
    callees: std::ops::Range<usize>,
}

#[derive(Default)]
pub struct Graph {
    imports: usize,
    functions: Vec<Function>,
    callees: Vec<u32>,
    roots: Vec<u32>,
}

impl Graph {
    pub fn add_import(&mut self) {
        self.imports += 1;
    }

    /// A function that something outside calls.
    pub fn add_root(&mut self, function: u32) {
        self.roots.push(function);
    }

    pub fn add_body(&mut self, body: &FunctionBody) -> Result<(), wasmparser::BinaryReaderError> {
        let first = self.callees.len();
        let mut function = Function { cost: 0, has_loop: false, calls_indirectly: false, callees: first..first };
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            function.cost += cost::of(&operator);
            match operator {
                Operator::Loop { .. } => function.has_loop = true,
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    self.callees.push(function_index);
                }
                Operator::CallIndirect { .. }
                | Operator::ReturnCallIndirect { .. }
                | Operator::CallRef { .. }
                | Operator::ReturnCallRef { .. } => function.calls_indirectly = true,
                _ => {}
            }
        }
        function.callees.end = self.callees.len();
        self.functions.push(function);
        Ok(())
    }

    /// The place among the functions that the module itself has.
    fn defined(&self, function: u32) -> Option<usize> {
        (function as usize).checked_sub(self.imports)
    }

    /// Whether every call of a root ends by itself, and the most that one may cost.
    pub fn longest_path(&self) -> (bool, u64) {
        let mut costs: Vec<Cost> = vec![Cost::Unknown; self.functions.len()];
        let mut longest = 0;
        for root in &self.roots {
            let Some(root) = self.defined(*root) else {
                longest = longest.max(IMPORT_COST);
                continue;
            };
            match self.cost_of(root, &mut costs) {
                Some(cost) => longest = longest.max(cost),
                None => return (false, u64::MAX),
            }
        }
        (true, longest)
    }

    /// Depth first with a stack of our own; `None` when it may run for ever.
    fn cost_of(&self, root: usize, costs: &mut [Cost]) -> Option<u64> {
        let mut stack = vec![Frame::new(root)];
        while let Some(frame) = stack.last_mut() {
            let function = self.functions.get(frame.function)?;
            if frame.next == 0 {
                if let Cost::Known(_) = costs[frame.function] {
                    stack.pop();
                    continue;
                }
                if function.has_loop || function.calls_indirectly || costs[frame.function] == Cost::OnStack {
                    return None;
                }
                costs[frame.function] = Cost::OnStack;
            }
            match self.callees[function.callees.clone()].get(frame.next) {
                Some(callee) => {
                    frame.next += 1;
                    if let Some(callee) = self.defined(*callee) {
                        match costs.get(callee)? {
                            Cost::Known(_) => {}
                            Cost::OnStack => return None,
                            Cost::Unknown => stack.push(Frame::new(callee)),
                        }
                    }
                }
                None => {
                    costs[frame.function] = Cost::Known(self.sum(function, costs));
                    stack.pop();
                }
            }
        }
        match costs.get(root)? {
            Cost::Known(cost) => Some(*cost),
            _ => None,
        }
    }

    /// The cost of a function whose callees are all known.
    fn sum(&self, function: &Function, costs: &[Cost]) -> u64 {
        self.callees[function.callees.clone()].iter().fold(function.cost, |sum, callee| {
            sum.saturating_add(match self.defined(*callee).map(|i| costs[i]) {
                Some(Cost::Known(cost)) => cost,
                Some(_) => u64::MAX,
                None => IMPORT_COST,
            })
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cost {
    Unknown,
    OnStack,
    Known(u64),
}

struct Frame {
    function: usize,
    /// The callee to look at next.
    next: usize,
}

impl Frame {
    fn new(function: usize) -> Frame {
        Frame { function, next: 0 }
    }
}
