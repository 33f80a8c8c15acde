// SPDX-License-Identifier: Apache-2.0
//! What an instruction may cost at worst, in units of about a nanosecond: a sum of them bounds the time that code
//! without loops takes, however its author chose the instructions.

use wasmparser::Operator;

const SIMPLE: u64 = 1;
/// Prologue, epilogue and the check of the stack.
const CALL: u64 = 4;
/// Divisions and square roots: some 20 to 40 cycles on older processors.
const DIVISION: u64 = 12;
/// A read that no cache holds, of an address that the one before it gave.
const READ: u64 = 32;
/// Writes wait in a queue, but a full one stalls.
const WRITE: u64 = 8;
/// Instructions that touch as much memory as they are told to: the default memory limit of 16 MiB, 16 bytes at a time.
const BULK: u64 = 1 << 20;

pub fn of(operator: &Operator) -> u64 {
    use Operator::*;
    match operator {
        Call { .. } | CallIndirect { .. } | CallRef { .. } | ReturnCall { .. } | ReturnCallIndirect { .. }
        | ReturnCallRef { .. } => CALL,

        I32DivS | I32DivU | I32RemS | I32RemU | I64DivS | I64DivU | I64RemS | I64RemU | F32Div | F64Div | F32Sqrt
        | F64Sqrt | F32x4Div | F64x2Div | F32x4Sqrt | F64x2Sqrt => DIVISION,

        I32Load { .. } | I64Load { .. } | F32Load { .. } | F64Load { .. } | I32Load8S { .. } | I32Load8U { .. }
        | I32Load16S { .. } | I32Load16U { .. } | I64Load8S { .. } | I64Load8U { .. } | I64Load16S { .. }
        | I64Load16U { .. } | I64Load32S { .. } | I64Load32U { .. } | V128Load { .. } | V128Load8x8S { .. }
        | V128Load8x8U { .. } | V128Load16x4S { .. } | V128Load16x4U { .. } | V128Load32x2S { .. }
        | V128Load32x2U { .. } | V128Load8Splat { .. } | V128Load16Splat { .. } | V128Load32Splat { .. }
        | V128Load64Splat { .. } | V128Load32Zero { .. } | V128Load64Zero { .. } | V128Load8Lane { .. }
        | V128Load16Lane { .. } | V128Load32Lane { .. } | V128Load64Lane { .. } | TableGet { .. } => READ,

        I32Store { .. } | I64Store { .. } | F32Store { .. } | F64Store { .. } | I32Store8 { .. }
        | I32Store16 { .. } | I64Store8 { .. } | I64Store16 { .. } | I64Store32 { .. } | V128Store { .. }
        | V128Store8Lane { .. } | V128Store16Lane { .. } | V128Store32Lane { .. } | V128Store64Lane { .. }
        | TableSet { .. } => WRITE,

        MemoryFill { .. } | MemoryCopy { .. } | MemoryInit { .. } | MemoryGrow { .. } | TableFill { .. }
        | TableCopy { .. } | TableInit { .. } | TableGrow { .. } => BULK,

        _ => SIMPLE,
    }
}
