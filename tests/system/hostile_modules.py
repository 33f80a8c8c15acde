# SPDX-License-Identifier: Apache-2.0
"""Functions that mean harm, as WebAssembly text, with what must come of each. test_n_hostile.py runs them in every
place where a function can stand."""
from dataclasses import dataclass, field

# What may come of a module: it is refused at registration with one of these codes, or each call ends like this.
ANSWERS = "answers"                # the call succeeds: the daemon has shrugged it off
TRAPS = "EXECUTION_FAILED"
STOPS = "TIMEOUT"
TOO_BIG = "MEMORY_LIMIT"
INVALID = "INVALID_WASM"
REFUSED = "COMPILATION_FAILED"

CALL_MS = 60


@dataclass
class Hostile:
    name: str
    expected: tuple                # any of these
    wat: str
    kind: str = "filter"
    abi: str = "row"
    manifest: dict = field(default_factory=dict)
    documents: int = 1             # in the test call


def row(body, header="", result="i32"):
    return '(module %s (func $f (export "f") (param $ctx i64) (result %s) %s))' % (header, result, body)


def imports(*functions):
    """Imports of env: (name, parameters, result)."""
    return " ".join('(import "env" "%s" (func $%s (param %s)%s))' % (
        name, name, parameters, " (result %s)" % result if result else "") for name, parameters, result in functions)


MEMORY = '(memory (export "memory") 1)'
GET_STRING = imports(("get_field_string", "i64 i32 i32 i32 i32", "i32"))
GET_F64 = imports(("get_field_f64", "i64 i32 i32 i32", "i32"))
LOG = imports(("log", "i32 i32 i32", ""))
SCORE = imports(("get_score", "i64", "f64"))
TRUE = "(i32.const 1)"


def wasi(name, parameters, result="i32"):
    return '(import "wasi_snapshot_preview1" "%s" (func $%s (param %s)%s))' % (
        name, name, parameters, " (result %s)" % result if result else "")


def doubling(depth):
    """Calls that double from function to function, without a loop: 2 ** depth calls in all."""
    functions = "".join("(func $d%d (call $d%d) (call $d%d))" % (i, i + 1, i + 1) for i in range(depth))
    return '(module %s (func $d%d) (func (export "f") (param i64) (result i32) (call $d0) (i32.const 1)))' % (
        functions, depth)


# ---- time ------------------------------------------------------------------------------------------------------------

TIME = [
    Hostile("loop", (STOPS,), row("(loop $l (br $l)) " + TRUE)),
    Hostile("loop_with_work", (STOPS,), row(
        "(local $x f64) (loop $l (local.set $x (f64.sqrt (f64.add (local.get $x) (f64.const 1)))) (br $l)) " + TRUE)),
    Hostile("loop_by_table", (STOPS,), row(
        "(loop $l (block $b (br_table $b $l $l (i32.const 1))) (br $l)) " + TRUE)),
    Hostile("two_loops_that_take_turns", (STOPS,), row(
        "(loop $outer (loop $inner (br_if $outer (i32.const 1)) (br $inner))) " + TRUE)),
    Hostile("recursion_without_end", (TOO_BIG,), row("(call $f (local.get $ctx))")),
    Hostile("recursion_of_two", (TOO_BIG,),
            '(module (func $a (param i64) (result i32) (call $b (local.get 0))) '
            '(func $b (export "f") (param i64) (result i32) (call $a (local.get 0))))'),
    Hostile("recursion_by_table", (TOO_BIG,),
            '(module (type $t (func (param i64) (result i32))) (table 1 funcref) (elem (i32.const 0) $f) '
            '(func $f (export "f") (param i64) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))'),
    Hostile("recursion_with_big_frames", (TOO_BIG,), row(
        " ".join("(local f64)" for _ in range(1000)) + " (local.set 500 (f64.const 1)) (call $f (local.get $ctx))")),
    Hostile("calls_that_double", (STOPS,), doubling(45)),
    Hostile("calls_that_double_a_little", (ANSWERS,), doubling(10)),
    Hostile("loop_of_host_calls", (STOPS,), row(
        "(loop $l (drop (call $get_score (local.get $ctx))) (br $l)) " + TRUE, SCORE)),
    Hostile("loop_of_log", (STOPS,), row(
        "(loop $l (call $log (i32.const 3) (i32.const 0) (i32.const 60000)) (br $l)) " + TRUE, LOG + MEMORY)),
    Hostile("loop_of_string_reads", (STOPS,), row(
        "(loop $l (i32.store (i32.const 100) (i32.const 60000)) (drop (call $get_field_string (local.get $ctx) "
        "(i32.const 0) (i32.const 5) (i32.const 200) (i32.const 100))) (br $l)) " + TRUE,
        GET_STRING + MEMORY + '(data (i32.const 0) "title")')),
    Hostile("loop_of_ever_new_names", (STOPS, TRAPS, ANSWERS), row(
        "(local $i i32) (loop $l (i32.store (i32.const 0) (local.get $i)) "
        "(drop (call $get_field_f64 (local.get $ctx) (i32.const 0) (i32.const 4) (i32.const 8))) "
        "(local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l)) " + TRUE, GET_F64 + MEMORY)),
    Hostile("loop_of_fills", (STOPS,), row(
        "(loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 16777216)) (br $l)) " + TRUE, "(memory 256)")),
    Hostile("loop_of_copies", (STOPS,), row(
        "(loop $l (memory.copy (i32.const 1) (i32.const 0) (i32.const 16777215)) (br $l)) " + TRUE, "(memory 256)")),
    Hostile("loop_of_table_fills", (STOPS,), row(
        "(loop $l (table.fill 0 (i32.const 0) (ref.null func) (i32.const 10000)) (br $l)) " + TRUE,
        "(table 10000 funcref)")),
    Hostile("loop_of_grows", (STOPS,), row(
        "(loop $l (drop (memory.grow (i32.const 1))) (br $l)) " + TRUE, "(memory 1)")),
    Hostile("loop_of_yields", (STOPS,), row(
        "(loop $l (drop (call $sched_yield)) (br $l)) " + TRUE, wasi("sched_yield", ""))),
    Hostile("loop_in_start", (INVALID,),
            '(module (func $s (loop $l (br $l))) (start $s) '
            '(func (export "f") (param i64) (result i32) (i32.const 1)))'),
    Hostile("loop_in_initialize", (INVALID,),
            '(module (func (export "_initialize") (loop $l (br $l))) '
            '(func (export "f") (param i64) (result i32) (i32.const 1)))'),
    Hostile("loop_at_the_seventh_document", (STOPS, ANSWERS),
            '(module (global $n (mut i32) (i32.const 0)) (func (export "f") (param i64) (result i32) '
            '(global.set $n (i32.add (global.get $n) (i32.const 1))) '
            '(if (i32.ge_u (global.get $n) (i32.const 7)) (then (loop $l (br $l)))) (i32.const 1)))'),
]

# ---- memory ----------------------------------------------------------------------------------------------------------

MEMORIES = [
    Hostile("grow_until_refused", (TRAPS, TOO_BIG), row(
        "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)", MEMORY)),
    Hostile("grow_by_4_gib", (ANSWERS,), row(
        "(i32.eq (memory.grow (i32.const 65535)) (i32.const -1))", MEMORY)),
    Hostile("grow_table_without_end", (TRAPS, TOO_BIG), row(
        "(loop $l (br_if $l (i32.ne (table.grow 0 (ref.null func) (i32.const 1000)) (i32.const -1)))) (unreachable)",
        "(table 1 funcref)")),
    Hostile("memory_of_4_gib", (TOO_BIG, INVALID, REFUSED), row(TRUE, "(memory 65536)")),
    Hostile("table_of_4_g", (TOO_BIG, INVALID, REFUSED), row(TRUE, "(table 4294967295 funcref)")),
    Hostile("two_memories", (INVALID, REFUSED), row(TRUE, "(memory 1) (memory 1)")),
    Hostile("data_outside", (INVALID,), row(TRUE, '(memory 1) (data (i32.const 65535) "beyond")')),
    Hostile("data_at_minus_one", (INVALID,), row(TRUE, '(memory 1) (data (i32.const -1) "x")')),
    Hostile("elements_outside", (INVALID,), row(TRUE, "(table 1 funcref) (elem (i32.const 5) $f)")),
    Hostile("touch_all_memory", (ANSWERS, STOPS), row(
        "(memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216)) " + TRUE, "(memory 256)")),
]

# ---- traps -----------------------------------------------------------------------------------------------------------

TRAPPING = [
    Hostile("unreachable", (TRAPS,), row("(unreachable)")),
    Hostile("division_by_zero", (TRAPS,), row("(i32.div_u (i32.const 1) (i32.const 0))")),
    Hostile("remainder_by_zero", (TRAPS,), row("(i32.wrap_i64 (i64.rem_s (local.get $ctx) (i64.const 0)))")),
    Hostile("overflowing_division", (TRAPS,), row("(i32.div_s (i32.const 0x80000000) (i32.const -1))")),
    Hostile("float_too_large_for_int", (TRAPS,), row("(i32.trunc_f64_s (f64.const 1e300))")),
    Hostile("load_behind_memory", (TRAPS,), row("(i32.load (i32.const 65533))", "(memory 1)")),
    Hostile("load_at_the_last_address", (TRAPS,), row("(i32.load offset=0xffffffff (i32.const -1))", "(memory 1)")),
    Hostile("store_behind_memory", (TRAPS,), row("(i64.store offset=65536 (i32.const 0) (i64.const -1)) " + TRUE,
                                                 "(memory 1)")),
    Hostile("simd_load_behind_memory", (TRAPS,), row(
        "(i32x4.extract_lane 0 (v128.load (i32.const 65521)))", "(memory 1)")),
    Hostile("fill_behind_memory", (TRAPS,), row(
        "(memory.fill (i32.const 1) (i32.const 0) (i32.const 65536)) " + TRUE, "(memory 1)")),
    Hostile("copy_behind_memory", (TRAPS,), row(
        "(memory.copy (i32.const 0) (i32.const 60000) (i32.const 60000)) " + TRUE, "(memory 1)")),
    Hostile("call_outside_the_table", (TRAPS,), row("(call_indirect (result i32) (i32.const 2))", "(table 2 funcref)")),
    Hostile("call_of_nothing", (TRAPS,), row("(call_indirect (result i32) (i32.const 1))", "(table 2 funcref)")),
    Hostile("call_with_another_type", (TRAPS,), row(
        "(call_indirect (param f64) (result i32) (f64.const 1) (i32.const 0))",
        "(table 1 funcref) (elem (i32.const 0) $f)")),
    Hostile("trap_in_start", (INVALID,),
            '(module (func $s (unreachable)) (start $s) (func (export "f") (param i64) (result i32) (i32.const 1)))'),
]

# ---- host calls ------------------------------------------------------------------------------------------------------

ADDRESSES = (-1, 0x7fffffff, -0x80000000, 65535, 65536, 0xfff0)
LENGTHS = (-1, 0x7fffffff, 65536, 1)


def bad_reads():
    """get_field_string with every mix of bad addresses and lengths."""
    calls = "".join(
        "(drop (call $get_field_string (local.get $ctx) (i32.const %d) (i32.const %d) (i32.const %d) (i32.const %d)))"
        % (name, length, buffer, size) for name in ADDRESSES for length in LENGTHS for buffer in ADDRESSES
        for size in ADDRESSES)
    return row(calls + TRUE, GET_STRING + MEMORY)


HOST_CALLS = [
    Hostile("reads_at_bad_addresses", (ANSWERS,), bad_reads()),
    Hostile("length_cell_inside_its_own_buffer", (ANSWERS,), row(
        "(i32.store (i32.const 64) (i32.const 60000)) (drop (call $get_field_string (local.get $ctx) (i32.const 0) "
        "(i32.const 5) (i32.const 60) (i32.const 64))) " + TRUE, GET_STRING + MEMORY + '(data (i32.const 0) "title")')),
    Hostile("name_that_is_not_text", (ANSWERS,), row(
        "(drop (call $get_field_f64 (local.get $ctx) (i32.const 0) (i32.const 8) (i32.const 64))) " + TRUE,
        GET_F64 + MEMORY + r'(data (i32.const 0) "\ff\fe\00\01[\80].")')),
    Hostile("name_with_a_huge_index", (ANSWERS,), row(
        "(drop (call $get_field_f64 (local.get $ctx) (i32.const 0) (i32.const 26) (i32.const 64))) " + TRUE,
        GET_F64 + MEMORY + '(data (i32.const 0) "tag[18446744073709551616]x")')),
    Hostile("name_of_dots", (ANSWERS, TRAPS), row(
        "(memory.fill (i32.const 0) (i32.const 46) (i32.const 1024)) (drop (call $get_field_f64 (local.get $ctx) "
        "(i32.const 0) (i32.const 1024) (i32.const 2048))) " + TRUE, GET_F64 + MEMORY)),
    Hostile("name_of_brackets", (ANSWERS, TRAPS), row(
        "(memory.fill (i32.const 0) (i32.const 91) (i32.const 1024)) (drop (call $get_field_f64 (local.get $ctx) "
        "(i32.const 0) (i32.const 1024) (i32.const 2048))) " + TRUE, GET_F64 + MEMORY)),
    Hostile("context_of_another_row", (ANSWERS,), row(
        "(drop (call $get_field_f64 (i64.add (local.get $ctx) (i64.const 1)) (i32.const 0) (i32.const 6) "
        "(i32.const 64))) (drop (call $get_field_f64 (i64.const -1) (i32.const 0) (i32.const 6) (i32.const 64))) "
        "(drop (call $get_field_f64 (i64.const 0) (i32.const 0) (i32.const 6) (i32.const 64))) " + TRUE,
        GET_F64 + MEMORY + '(data (i32.const 0) "number")')),
    Hostile("context_kept_from_before", (ANSWERS,), row(
        "(drop (call $get_score (global.get $old))) (global.set $old (local.get $ctx)) " + TRUE,
        SCORE + "(global $old (mut i64) (i64.const 0))")),
    Hostile("host_calls_in_start", (ANSWERS, TRAPS),
            '(module %s (memory (export "memory") 1) (func $s (call $log (i32.const 1) (i32.const 0) (i32.const 10)) '
            '(drop (call $get_score (i64.const 1)))) (start $s) '
            '(func (export "f") (param i64) (result i32) (i32.const 1)))' % (LOG + SCORE)),
    Hostile("log_at_bad_addresses", (ANSWERS, TRAPS), row(
        "(call $log (i32.const 99) (i32.const -1) (i32.const -1)) (call $log (i32.const -5) (i32.const 65530) "
        "(i32.const 100)) " + TRUE, LOG + MEMORY)),
    Hostile("log_of_terminal_controls", (ANSWERS,), row(
        "(call $log (i32.const 3) (i32.const 0) (i32.const 16)) " + TRUE,
        LOG + MEMORY + r'(data (i32.const 0) "\1b[2J\00\0a\0d\22\5c\7f\ff\fe\c3\28")')),
    Hostile("memory_under_another_name", (ANSWERS, REFUSED, INVALID, TRAPS), row(
        "(drop (call $get_field_f64 (local.get $ctx) (i32.const 0) (i32.const 6) (i32.const 64))) " + TRUE,
        GET_F64 + '(memory (export "mem") 1)')),
    Hostile("memory_that_is_a_function", (ANSWERS, REFUSED, INVALID, TRAPS), row(
        "(drop (call $get_field_f64 (local.get $ctx) (i32.const 0) (i32.const 6) (i32.const 64))) " + TRUE,
        GET_F64 + '(func (export "memory"))')),
    Hostile("exit", (TRAPS,), row("(call $proc_exit (i32.const 0)) " + TRUE, wasi("proc_exit", "i32", ""))),
    Hostile("write_of_endless_vectors", (ANSWERS, STOPS), row(
        "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 64))) " + TRUE,
        wasi("fd_write", "i32 i32 i32 i32") + MEMORY)),
    Hostile("write_of_4_gib", (ANSWERS,), row(
        "(i32.store (i32.const 4) (i32.const -1)) (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) "
        "(i32.const 64))) " + TRUE, wasi("fd_write", "i32 i32 i32 i32") + MEMORY)),
    Hostile("random_at_bad_addresses", (ANSWERS,), row(
        "(drop (call $random_get (i32.const 10) (i32.const -1))) (drop (call $random_get (i32.const -1) "
        "(i32.const 1))) " + TRUE, wasi("random_get", "i32 i32") + MEMORY)),
    Hostile("clock_at_a_bad_address", (ANSWERS,), row(
        "(drop (call $clock_time_get (i32.const 77) (i64.const 1) (i32.const 65533))) " + TRUE,
        wasi("clock_time_get", "i32 i64 i32") + MEMORY)),
    Hostile("files", (ANSWERS,), row(
        "(i32.ne (call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0) (i64.const -1) "
        "(i64.const -1) (i32.const 0) (i32.const 64)) (i32.const 0))",
        wasi("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32") + MEMORY + '(data (i32.const 0) "/etc")')),
    Hostile("sockets", (ANSWERS,), row(
        "(i32.ne (call $sock_send (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 64)) "
        "(i32.const 0))", wasi("sock_send", "i32 i32 i32 i32 i32") + MEMORY)),
]

# ---- results ---------------------------------------------------------------------------------------------------------

RESULTS = [
    Hostile("score_nan", (TRAPS,), row("(f64.const nan)", result="f64"), kind="score"),
    Hostile("score_negative", (TRAPS,), row("(f64.const -0.001)", result="f64"), kind="score"),
    Hostile("score_infinite", (TRAPS,), row("(f64.const inf)", result="f64"), kind="score"),
    Hostile("score_beyond_float", (TRAPS,), row("(f64.const 1e300)", result="f64"), kind="score"),
    Hostile("filter_of_all_bits", (ANSWERS,), row("(i32.const -1)")),
]

# ---- modules that are odd --------------------------------------------------------------------------------------------

ODD = [
    Hostile("export_name_with_controls", (ANSWERS,), row(TRUE, r'(func (export "\00\0a\1b[2J\22") (nop))')),
    Hostile("export_name_of_100_kb", (ANSWERS, INVALID), row(TRUE, '(func (export "%s") (nop))' % ("n" * 100000))),
    Hostile("import_a_thousand_times", (ANSWERS,),
            row(TRUE, '(import "env" "get_score" (func (param i64) (result f64)))' * 1000)),
    Hostile("ten_thousand_functions", (ANSWERS,), row(TRUE, "(func (nop))" * 10000)),
    Hostile("blocks_in_blocks", (ANSWERS, INVALID, REFUSED), row("(block " * 900 + ")" * 900 + TRUE)),
    Hostile("fifty_thousand_locals", (ANSWERS, INVALID, REFUSED, TOO_BIG), row(
        "(local %s) " % ("i64 " * 49000) + TRUE)),
    Hostile("too_many_locals", (INVALID, REFUSED), row("(local %s) " % ("i64 " * 51000) + TRUE)),
    Hostile("wide_br_table", (ANSWERS,), row(
        "(block $b (br_table %s (i32.const 70000))) " % ("$b " * 60000) + TRUE)),
    Hostile("long_straight_code", (ANSWERS, STOPS), row(
        "(local $x i32) " + "(local.set $x (i32.add (local.get $x) (i32.const 3)))" * 30000 + TRUE)),
    Hostile("many_live_values", (ANSWERS,), row(
        "(i32.wrap_i64 (local.get $ctx)) " * 900 + "(i32.xor) " * 899 + "(drop) " + TRUE)),
    Hostile("wide_function_type", (ANSWERS, INVALID, REFUSED), row(
        TRUE, "(func (param %s))" % ("f64 " * 900))),
    Hostile("import_of_memory", (REFUSED,), row(TRUE, '(import "env" "memory" (memory 1))')),
    Hostile("import_of_a_global", (REFUSED,), row(TRUE, '(import "env" "g" (global (mut i32)))')),
    Hostile("import_of_nonsense", (REFUSED,), row(TRUE, '(import "env" "system" (func (param i32)))')),
    Hostile("memory_64", (INVALID, REFUSED), row(TRUE, "(memory i64 1)")),
    Hostile("shared_memory", (INVALID, REFUSED), row(TRUE, "(memory 1 1 shared)")),
]

# ---- transforms ------------------------------------------------------------------------------------------------------

SET_STRING = imports(("set_result_string", "i32 i32", ""))
STRING = {"returns": [{"type": "string"}]}


def text(name, expected, body, header=""):
    """A transform that returns a string."""
    return Hostile(name, expected, '(module %s (func (export "f") (param $ctx i64) %s))' % (
        SET_STRING + MEMORY + header, body), kind="transform", manifest=STRING)


def result(address, length):
    return "(call $set_result_string (i32.const %d) (i32.const %d))" % (address, length)


TRANSFORMS = [
    text("string_behind_memory", (TRAPS,), result(65535, 2)),
    text("string_at_minus_one", (TRAPS,), result(-1, 1)),
    text("string_of_4_gib", (TRAPS,), result(0, -1)),
    text("string_of_2_mib", (TRAPS,), "(drop (memory.grow (i32.const 40))) " + result(0, 2 << 20)),
    text("string_that_is_not_text", (TRAPS,), result(0, 2), r'(data (i32.const 0) "\c3\28")'),
    text("string_of_controls", (ANSWERS,), result(0, 5), r'(data (i32.const 0) "\00\0a\1b\22\5c")'),
    text("string_set_without_end", (STOPS, TRAPS), "(loop $l " + result(0, 60000) + " (br $l))"),
    text("string_of_none", (ANSWERS,), result(65536, 0)),
    text("loop_in_a_transform", (STOPS,), "(loop $l (br $l))"),
    Hostile("string_where_a_number_is_due", (TRAPS,), '(module %s (func (export "f") (param i64) (result f64) %s '
            '(f64.const 1)))' % (SET_STRING + MEMORY, result(0, 1)), kind="transform"),
    Hostile("string_in_start", (INVALID,), '(module %s (func $s %s) (start $s) (func (export "f") (param i64)))' % (
        SET_STRING + MEMORY, result(0, 1)), kind="transform", manifest=STRING),
    Hostile("transform_of_nan", (ANSWERS,), row("(f64.const nan)", result="f64"), kind="transform"),
]

# ---- aggregates ------------------------------------------------------------------------------------------------------


def aggregate(name, expected, init="(i32.const 0)", update="", merge="", serialize="(i64.const 0)",
              finish="(f64.const 1)", header="", manifest=None):
    """An aggregate in the row shape; where a part is not given, a harmless one."""
    return Hostile(name, expected, '(module %s (memory (export "memory") 1) '
                   '(func (export "f_init") (result i32) %s) '
                   '(func (export "f_update") (param $state i32) (param $ctx i64) %s) '
                   '(func (export "f_merge") (param $state i32) (param $at i32) (param $n i32) %s) '
                   '(func (export "f_serialize") (param $state i32) (result i64) %s) '
                   '(func (export "f_finish") (param $state i32) (result f64) %s))' % (
                       header, init, update, merge, serialize, finish), kind="aggregate", manifest=manifest or {})


def state(address, length):
    return "(i64.const %d)" % ((address & 0xffffffff) << 32 | length & 0xffffffff)


LOOP = "(loop $l (br $l)) "
AGGREGATES = [
    aggregate("trap_in_init", (TRAPS,), init="unreachable"),
    aggregate("trap_in_update", (TRAPS,), update="unreachable"),
    aggregate("trap_in_merge", (TRAPS,), merge="unreachable"),
    aggregate("trap_in_serialize", (TRAPS,), serialize="unreachable"),
    aggregate("trap_in_finish", (TRAPS,), finish="unreachable"),
    aggregate("loop_in_init", (STOPS,), init=LOOP + "(i32.const 0)"),
    aggregate("loop_in_update", (STOPS,), update=LOOP),
    aggregate("loop_in_merge", (STOPS,), merge=LOOP),
    aggregate("loop_in_serialize", (STOPS,), serialize=LOOP + "(i64.const 0)"),
    aggregate("loop_in_finish", (STOPS,), finish=LOOP + "(f64.const 0)"),
    aggregate("state_behind_memory", (TRAPS,), serialize=state(65535, 2)),
    aggregate("state_at_minus_one", (TRAPS,), serialize=state(-1, 1)),
    aggregate("state_of_1_mib_that_is_not_there", (TRAPS,), serialize=state(0, 1 << 20)),
    aggregate("state_of_4_gib", (TOO_BIG,), serialize=state(0, -1)),
    aggregate("state_over_its_limit", (TOO_BIG,), init="(drop (memory.grow (i32.const 40))) (i32.const 0)",
              serialize=state(0, (1 << 20) + 1)),
    aggregate("state_of_nothing_nowhere", (ANSWERS,), serialize=state(-1, 0)),
    aggregate("state_of_all_bits", (ANSWERS,), init="(i32.const -1)"),
    aggregate("state_that_is_used_as_an_address", (TRAPS,), init="(i32.const -1)",
              update="(i32.store (local.get $state) (i32.const 1))"),
    aggregate("merge_behind_its_bytes", (TRAPS,), serialize=state(0, 16),
              merge="(i64.store (i32.add (local.get $at) (i32.const 0x10000000)) (i64.const -1))"),
    aggregate("merge_without_room", (TOO_BIG,), init="(drop (memory.grow (i32.const 255))) (i32.const 0)",
              serialize=state(0, 1 << 20)),
    aggregate("merge_into_given_addresses", (TOO_BIG, TRAPS), serialize=state(0, 100),
              header='(func (export "quidditch_alloc") (param i32) (result i32) (i32.const -16))'),
    aggregate("alloc_that_loops", (STOPS,), serialize=state(0, 100),
              header='(func (export "quidditch_alloc") (param i32) (result i32) %s (i32.const 0))' % LOOP),
    aggregate("memory_that_grows_in_each_update", (ANSWERS, TOO_BIG, TRAPS),
              update="(if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))"),
    aggregate("context_kept_for_finish", (ANSWERS,), header=SCORE + "(global $old (mut i64) (i64.const 0))",
              update="(global.set $old (local.get $ctx))", serialize="(drop (call $get_score (global.get $old))) "
              "(i64.const 0)", finish="(call $get_score (global.get $old))"),
    aggregate("result_of_nan", (ANSWERS,), finish="(f64.const nan)"),
    aggregate("recursion_in_finish", (TOO_BIG,), header="(func $r (param i32) (result f64) (call $r (local.get 0)))",
              finish="(call $r (local.get $state))"),
    Hostile("aggregate_without_merge", (INVALID,), '(module (memory (export "memory") 1) '
            '(func (export "f_init") (result i32) unreachable) (func (export "f_update") (param i32 i64)))',
            kind="aggregate"),
    Hostile("aggregate_without_memory", (INVALID,),
            '(module (func (export "f_init") (result i32) (i32.const 0)) (func (export "f_update") (param i32 i64)) '
            '(func (export "f_merge") (param i32 i32 i32)) (func (export "f_serialize") (param i32) (result i64) '
            '(i64.const 0)) (func (export "f_finish") (param i32) (result f64) (f64.const 0)))', kind="aggregate"),
]

HOSTILE = TIME + MEMORIES + TRAPPING + HOST_CALLS + RESULTS + ODD + TRANSFORMS + AGGREGATES
