# SPDX-License-Identifier: Apache-2.0
"""Hostile functions in the shapes handle, typed with strings, and batch, hostile results that are strings, and hostile
allocators. Where the right answer is known, a function that gets another one traps."""
from hostile_modules import (ANSWERS, INVALID, MEMORY, STOPS, TOO_BIG, TRAPS, TRUE, Hostile, imports)

# ---- by handle -------------------------------------------------------------------------------------------------------

HANDLES = imports(
    ("field_handle", "i32 i32", "i32"), ("field_f64", "i32", "f64"), ("field_i64", "i32", "i64"),
    ("field_valid", "i32", "i32"), ("field_string", "i32 i32 i32", "i32"), ("field_count", "i32", "i32"),
    ("field_f64_at", "i32 i32 i32", "i32"), ("field_i64_at", "i32 i32 i32", "i32"),
    ("field_string_at", "i32 i32 i32 i32", "i32"), ("score", "", "f64"))
NAMES = MEMORY + '(data (i32.const 0) "numbertitlenothing") (global $h (mut i32) (i32.const -1))'
NUMBER, TITLE = "(call $field_handle (i32.const 0) (i32.const 6))", "(call $field_handle (i32.const 6) (i32.const 5))"
WRONG = (-1, 1, 63, 64, 65, 1 << 20, 0x7fffffff, -0x80000000)


def handle(name, expected, body, header=NAMES, **more):
    return Hostile(name, expected, '(module %s %s (func $f (export "f") (param $ctx i64) (result i32) %s))' % (
        HANDLES, header, body), abi="handle", **more)


def unless(condition):
    return "(if %s (then (unreachable)))" % condition


def each_wrong(*calls):
    """What must be 0 for each of the wrong handles."""
    return "".join(unless(call.replace("$wrong", "(i32.const %d)" % h)) for h in WRONG for call in calls) + TRUE


def new_names(times):
    """Asks for handles of ever new names, four letters long."""
    return """(local $i i32) (local $last i32) (loop $l
      (i32.store (i32.const 100) (i32.add (i32.const 0x41414141)
        (i32.add (i32.and (local.get $i) (i32.const 15)) (i32.shl (i32.shr_u (local.get $i) (i32.const 4))
          (i32.const 8)))))
      (local.set $last (call $field_handle (i32.const 100) (i32.const 4)))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.ne (local.get $i) (i32.const %d))))
      """ % times


BY_HANDLE = [
    handle("handles_that_nobody_gave", (ANSWERS,), each_wrong(
        "(call $field_valid $wrong)", "(f64.ne (call $field_f64 $wrong) (f64.const 0))",
        "(i64.ne (call $field_i64 $wrong) (i64.const 0))", "(call $field_count $wrong)")),
    handle("strings_of_handles_that_nobody_gave", (ANSWERS,), each_wrong(
        "(i32.ne (call $field_string $wrong (i32.const 200) (i32.const 100)) (i32.const 3))",
        "(i32.ne (call $field_f64_at $wrong (i32.const 0) (i32.const 200)) (i32.const 3))",
        "(i32.ne (call $field_string_at $wrong (i32.const 0) (i32.const 200) (i32.const 100)) (i32.const 3))")),
    handle("handle_behind_the_last_given", (ANSWERS,), "(drop %s)" % NUMBER
           + unless("(call $field_valid (i32.const 1))")
           + unless("(f64.ne (call $field_f64 (i32.const 1)) (f64.const 0))") + TRUE),
    handle("sixty_five_handles", (ANSWERS,), new_names(64) + unless("(i32.ne (local.get $last) (i32.const 63))")
           + unless("(i32.ne %s (i32.const -1))" % NUMBER) + TRUE),
    handle("loop_of_ever_new_handles", (STOPS,), new_names(-1) + TRUE),
    handle("new_handle_for_each_document", (ANSWERS,),
           "(i32.store (i32.const 100) (i32.add (i32.load (i32.const 100)) (i32.const 1))) "
           "(drop (call $field_valid (call $field_handle (i32.const 100) (i32.const 4)))) " + TRUE),
    handle("names_of_handles_at_bad_addresses", (ANSWERS,), "".join(
        unless("(i32.ne (call $field_handle (i32.const %d) (i32.const %d)) (i32.const -1))" % bad) for bad in (
            (-1, 1), (65533, 4), (0, -1), (0, 65537), (0x7fffffff, 0x7fffffff), (-0x80000000, -0x80000000), (0, 1025)))
           + TRUE),
    handle("name_of_a_handle_that_is_not_text", (ANSWERS,),
           "(drop (call $field_valid (call $field_handle (i32.const 100) (i32.const 8)))) " + TRUE,
           NAMES + r'(data (i32.const 100) "\ff\fe\00\01[\80].")'),
    handle("handles_in_start", (ANSWERS, TRAPS), TRUE, NAMES + "(func $s (global.set $h %s) (drop (call $field_f64 "
           "(global.get $h))) (drop (call $field_valid (i32.const 0))) (drop (call $score)) (drop (call $field_count "
           "(i32.const 0)))) (start $s)" % NUMBER),
    handle("reads_in_initialize", (ANSWERS,), TRUE, NAMES + '(func (export "_initialize") (global.set $h %s) %s)' % (
        TITLE, unless("(call $field_valid (global.get $h))") + unless("(call $field_count (global.get $h))") +
        unless("(i32.ne (call $field_string (global.get $h) (i32.const 200) (i32.const 100)) (i32.const 3))"))),
    handle("field_string_at_bad_addresses", (ANSWERS,), "(global.set $h %s)" % TITLE + "".join(
        unless("(i32.eqz (call $field_string (global.get $h) (i32.const %d) (i32.const %d)))" % (buffer, length))
        for buffer, length in ((-1, 104), (65535, 104), (200, -1), (200, 65533), (0x7fffffff, 0x7fffffff), (-1, -1)))
           + TRUE, NAMES + r'(data (i32.const 104) "\ff\ff\ff\ff")'),
    handle("values_at_wild_places", (ANSWERS,), "(global.set $h %s)" % NUMBER + "".join(
        unless("(i32.eqz (call $field_f64_at (global.get $h) (i32.const %d) (i32.const 200)))" % at)
        + unless("(i32.eqz (call $field_i64_at (global.get $h) (i32.const %d) (i32.const 200)))" % at)
        for at in (1, 2, -1, 0x7fffffff, -0x80000000)) + TRUE),
    handle("loop_of_reads_inside_the_sandbox", (STOPS,),
           "(global.set $h %s) (loop $l (drop (call $field_f64 (global.get $h))) (br $l)) " % NUMBER + TRUE),
    handle("loop_of_strings_by_handle", (STOPS,),
           "(global.set $h %s) (loop $l (i32.store (i32.const 100) (i32.const 1000)) (drop (call $field_string "
           "(global.get $h) (i32.const 200) (i32.const 100))) (br $l)) " % TITLE + TRUE),
    handle("handles_without_memory", (ANSWERS,), unless("(i32.ne %s (i32.const -1))" % NUMBER) + TRUE,
           '(memory (export "other") 1)'),
    handle("grows_between_reads", (ANSWERS, TOO_BIG), "(global.set $h %s) (drop (memory.grow (i32.const 1))) "
           "(drop (call $field_f64 (global.get $h))) (drop (memory.grow (i32.const 1))) (drop %s) " % (NUMBER, TITLE)
           + TRUE),
]

# ---- batch -----------------------------------------------------------------------------------------------------------

ONE_NUMBER = {"parameters": [{"name": "x", "type": "f64", "from": "_source.number"}]}
ONE_TEXT = {"parameters": [{"name": "s", "type": "string", "from": "_source.title"}]}
ALL_BYTES = "(i32.mul (memory.size) (i32.const 65536))"
OUT, VALID = "(i32.load (local.get $out))", "(i32.load offset=4 (local.get $out))"


def batch(name, expected, body, header=MEMORY, kind="filter", manifest=None, **more):
    return Hostile(name, expected, '(module %s (func $f (export "f") (param $n i32) (param $columns i32) '
                   '(param $out i32) (local $i i32) %s))' % (header, body), abi="batch", kind=kind,
                   manifest={**ONE_NUMBER, **(manifest or {})}, **more)


def each_row(code):
    return "(loop $next %s (local.set $i (i32.add (local.get $i) (i32.const 1))) " \
           "(br_if $next (i32.lt_u (local.get $i) (local.get $n))))" % code


def result(at):
    """The address of the current row's result, 1 << at bytes each."""
    return "(i32.add %s (i32.shl (local.get $i) (i32.const %d)))" % (OUT, at)


def strings(name, expected, address, length, header=MEMORY, **more):
    """A batch whose results are all this string."""
    return batch(name, expected, each_row("(i32.store %s (i32.const %d)) (i32.store offset=4 %s (i32.const %d))" % (
        result(3), address, result(3), length)), header, kind="transform",
        manifest={"returns": [{"type": "string"}], **more.pop("manifest", {})}, **more)


NAN_FOR_ALL = each_row("(f64.store %s (f64.const nan))" % result(3))
BATCHES = [
    batch("writes_over_its_descriptors", (ANSWERS,),
          "(memory.fill (local.get $columns) (i32.const 255) (i32.const 32))"),
    batch("writes_over_all_its_memory", (ANSWERS,), "(memory.fill (i32.const 0) (i32.const 255) %s)" % ALL_BYTES),
    batch("says_that_results_lie_elsewhere", (ANSWERS,), "(i32.store (local.get $out) (i32.const -16)) "
          "(i32.store offset=4 (local.get $out) (i32.const 0)) (i32.store offset=8 (local.get $out) (i32.const 99))"),
    batch("batch_without_end", (STOPS,), "(loop $l (br $l))"),
    batch("batch_without_end_at_the_last_row", (STOPS,), each_row(
        "(if (i32.eq (local.get $i) (i32.sub (local.get $n) (i32.const 1))) (then (loop $l (br $l))))")),
    batch("batch_that_calls_itself", (TOO_BIG,), "(call $f (local.get $n) (local.get $columns) (local.get $out))"),
    batch("copies_columns_for_ever", (STOPS,),
          "(loop $l (memory.copy %s (i32.load (local.get $columns)) (i32.const 8)) (br $l))" % OUT),
    batch("grows_in_each_batch", (ANSWERS,), "(drop (memory.grow (i32.const 16))) (i32.store %s (i32.const 1))" % OUT),
    batch("grows_until_refused_in_a_batch", (TRAPS, TOO_BIG),
          "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)"),
    batch("traps_in_row_1000", (TRAPS, ANSWERS), each_row(
        "(if (i32.eq (local.get $i) (i32.const 1000)) (then (unreachable)))"), documents=2048),
    batch("batch_that_traps", (TRAPS,), "(unreachable)"),
    batch("clears_all_validity", (ANSWERS,), "(memory.fill %s (i32.const 0) (local.get $n))" % VALID),
    batch("validity_that_is_no_boolean", (ANSWERS,), "(memory.fill %s (i32.const 254) (local.get $n))" % VALID),
    batch("results_of_all_bits", (ANSWERS,),
          "(memory.fill %s (i32.const 255) (i32.shl (local.get $n) (i32.const 2)))" % OUT),
    batch("writes_behind_its_results", (ANSWERS,),
          "(memory.fill %s (i32.const 255) (i32.const 8192))" % OUT),
    batch("reads_behind_memory_in_a_batch", (TRAPS,), "(drop (f64.load (i32.sub %s (i32.const 7))))" % ALL_BYTES),
    batch("nan_for_all", (TRAPS,), NAN_FOR_ALL, kind="score"),
    batch("nan_without_a_result", (ANSWERS,), NAN_FOR_ALL + "(memory.fill %s (i32.const 0) (local.get $n))" % VALID,
          kind="score"),
    batch("minus_one_for_all", (TRAPS,), each_row("(f64.store %s (f64.const -1))" % result(3)), kind="score"),
    batch("set_result_string_in_a_batch", (TRAPS,), "(call $set_result_string (i32.const 0) (i32.const 1))",
          imports(("set_result_string", "i32 i32", "")) + MEMORY),
    batch("guesses_contexts", (ANSWERS,), "".join(
        unless("(call $has_field (i64.const %d) (i32.const 0) (i32.const 6))" % (high << 32 | row))
        for high in range(4) for row in range(4)),
        imports(("has_field", "i64 i32 i32", "i32")) + MEMORY + '(data (i32.const 0) "number")'),
    batch("handles_in_a_batch", (ANSWERS,),
          unless("(call $field_valid (call $field_handle (i32.const 0) (i32.const 6)))") +
          unless("(f64.ne (call $field_f64 (i32.const 0)) (f64.const 0))"),
          imports(("field_handle", "i32 i32", "i32"), ("field_f64", "i32", "f64"), ("field_valid", "i32", "i32"))
          + MEMORY + '(data (i32.const 0) "number")'),
    batch("batch_without_memory", (INVALID,), "(nop)", header=""),
    batch("batch_with_too_little_memory", (TOO_BIG,), "(nop)", manifest={"limits": {"memory_bytes": 65536}}),
    batch("batch_of_another_signature", (INVALID,), "(nop)", header=MEMORY, manifest={"function_name": "g"}),
    strings("strings_outside_of_memory", (TRAPS,), -1, -1),
    strings("strings_across_the_end", (TRAPS,), 65535, 0x7fffffff),
    strings("strings_of_4_gib", (TRAPS,), 0, -1),
    strings("strings_that_are_not_text", (TRAPS,), 16, 2, MEMORY + r'(data (i32.const 16) "\c3\28")'),
    strings("strings_that_are_cut_characters", (TRAPS,), 16, 2, MEMORY + r'(data (i32.const 16) "\e2\82\ac")'),
    strings("one_mebibyte_for_all_rows", (TRAPS, ANSWERS), 0, 1 << 20, '(memory (export "memory") 17)', documents=2048),
    strings("eight_mebibytes_for_all_rows", (TRAPS,), 0, 8 << 20, '(memory (export "memory") 130)', documents=2048),
    batch("descriptors_as_results", (ANSWERS, TRAPS), each_row(
        "(i32.store %s (local.get $columns)) (i32.store offset=4 %s (i32.const 16))" % (result(3), result(3))),
        kind="transform", manifest={**ONE_TEXT, "returns": [{"type": "string"}]}),
    batch("strings_beside_the_area", (ANSWERS, TRAPS), each_row(
        "(i32.store %s (i32.sub (i32.load (i32.load (local.get $columns))) (i32.const 64))) "
        "(i32.store offset=4 %s (i32.const 4096))" % (result(3), result(3))),
        kind="transform", manifest={**ONE_TEXT, "returns": [{"type": "string"}]}),
]

# ---- typed, with strings ---------------------------------------------------------------------------------------------


def typed(name, expected, body, header=MEMORY, **more):
    return Hostile(name, expected, '(module %s (func $f (export "f") (param $at i32) (param $n i32) (result i32) %s))'
                   % (header, body), abi="typed", manifest=ONE_TEXT, **more)


OLD = "(global $old (mut i32) (i32.const 0))"
TYPED = [
    typed("writes_over_its_argument", (ANSWERS,),
          "(memory.fill (local.get $at) (i32.const 255) (local.get $n)) " + TRUE),
    typed("writes_over_its_area", (ANSWERS,), "(memory.fill (i32.const 0) (i32.const 255) %s) " % ALL_BYTES + TRUE),
    typed("writes_far_behind_its_argument", (TRAPS,),
          "(memory.fill (local.get $at) (i32.const 255) (i32.const 16777216)) " + TRUE),
    typed("reads_before_its_argument", (ANSWERS,),
          "(drop (i32.load8_u (i32.sub (local.get $at) (i32.const 1)))) " + TRUE),
    typed("reads_where_it_was_before", (ANSWERS,), "(drop (i32.load8_u (global.get $old))) (global.set $old "
          "(local.get $at)) " + TRUE, MEMORY + OLD),
    typed("grows_before_it_reads", (ANSWERS,),
          "(drop (memory.grow (i32.const 1))) (drop (i32.load8_u (local.get $at))) " + TRUE),
    typed("grows_until_there_is_no_room", (ANSWERS, TRAPS, TOO_BIG),
          "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) " + TRUE),
    typed("walks_behind_its_argument", (TRAPS,), "(loop $l (drop (i32.load8_u (local.get $at))) (local.set $at "
          "(i32.add (local.get $at) (i32.const 1))) (br $l)) " + TRUE),
    typed("string_without_memory", (INVALID,), TRUE, header=""),
    typed("string_with_a_wrong_memory", (INVALID,), TRUE, header='(func (export "memory"))'),
]

# ---- results that are strings ----------------------------------------------------------------------------------------

SET = imports(("set_result_string", "i32 i32", ""), ("set_result_missing", "", ""))
BIG = '(memory (export "memory") 17)'
SETS_1_MIB = "(call $set_result_string (i32.const 0) (i32.const 1048576))"


def transform(name, expected, body, header=MEMORY, **more):
    return Hostile(name, expected, '(module %s %s (func $f (export "f") (param $ctx i64) %s))' % (SET, header, body),
                   kind="transform", manifest={"returns": [{"type": "string"}]}, **more)


def sets(at, n):
    return "(call $set_result_string (i32.const %d) (i32.const %d))" % (at, n)


TRANSFORMS = [
    transform("result_at_%s" % name, (TRAPS,), sets(at, n)) for name, at, n in (
        ("minus_one", -1, 1), ("the_end", 65536, 1), ("one_too_far", 65530, 7),
        ("the_middle", -0x80000000, -0x80000000), ("minus_one_without_bytes_and_more", -1, 0x7fffffff))
] + [
    transform("result_of_4_gib", (TRAPS,), sets(0, -1)),
    transform("result_that_is_not_text", (TRAPS,), sets(16, 4), MEMORY + r'(data (i32.const 16) "ab\ff\00")'),
    transform("result_of_a_surrogate", (TRAPS,), sets(16, 3), MEMORY + r'(data (i32.const 16) "\ed\a0\80")'),
    transform("result_of_controls", (ANSWERS,), sets(16, 13),
              MEMORY + r'(data (i32.const 16) "\00\01\1b[2J\22\5c\0a\0d\7f\c2\85")'),
    transform("result_longer_than_1_mib", (TRAPS,), sets(0, (1 << 20) + 1), BIG),
    transform("results_of_1_mib_for_all", (TRAPS, ANSWERS), SETS_1_MIB, BIG, documents=2048),
    transform("results_of_1_mib_of_controls", (ANSWERS,), SETS_1_MIB, BIG, documents=14),
    transform("sets_1_mib_for_ever", (TRAPS,), "(loop $l %s (br $l))" % SETS_1_MIB, BIG),
    transform("sets_nothing_for_ever", (STOPS, TRAPS), "(loop $l %s (br $l))" % sets(0, 0)),
    transform("sets_missing_for_ever", (STOPS,), "(loop $l (call $set_result_missing) (br $l))"),
    transform("changes_its_mind", (ANSWERS,), sets(0, 9) + "(call $set_result_missing)" + sets(0, 3)
              + "(call $set_result_missing)"),
    transform("sets_results_in_start", (INVALID,), sets(0, 3), MEMORY + "(func $s %s) (start $s)" % sets(0, 1)),
    transform("sets_results_in_initialize", (INVALID,), sets(0, 3),
              MEMORY + '(func (export "_initialize") (call $set_result_missing))'),
    Hostile("string_from_a_filter", (TRAPS,), '(module %s %s (func (export "f") (param i64) (result i32) %s %s))' % (
        SET, MEMORY, sets(0, 1), TRUE)),
    Hostile("string_from_a_score", (TRAPS,), '(module %s %s (func (export "f") (param i64) (result f64) %s %s))' % (
        SET, MEMORY, sets(0, 1), "(f64.const 1)"), kind="score"),
    Hostile("filter_without_a_result", (ANSWERS,), '(module %s (func (export "f") (param i64) (result i32) '
            '(call $set_result_missing) %s))' % (SET, TRUE)),
]

# ---- allocators ------------------------------------------------------------------------------------------------------

ALLOCATORS = [
    ("gives_0", (TOO_BIG,), "(i32.const 0)"), ("gives_minus_1", (TOO_BIG,), "(i32.const -1)"),
    ("gives_minus_17", (TOO_BIG,), "(i32.const -17)"),
    ("gives_the_last_byte", (TOO_BIG,), "(i32.sub %s (i32.const 1))" % ALL_BYTES),
    ("gives_what_is_too_short", (TOO_BIG,), "(i32.sub %s (i32.const 4096))" % ALL_BYTES),
    ("gives_the_same_each_time", (ANSWERS,), "(i32.const 1024)"),
    ("gives_odd_addresses", (ANSWERS,), "(i32.const 4097)"),
    ("gives_address_1", (ANSWERS,), "(i32.const 1)"),
    ("traps", (TRAPS,), "(unreachable)"), ("loops", (STOPS,), "(loop $l (br $l)) (i32.const 0)"),
    ("calls_itself", (TOO_BIG,), "(call $alloc (local.get 0))"),
    ("grows_all_it_can", (ANSWERS, TOO_BIG), "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) "
     "(i32.const 1024)"),
    ("writes_everywhere", (ANSWERS,), "(memory.fill (i32.const 0) (i32.const 255) %s) (i32.const 1024)" % ALL_BYTES),
]
ALLOC = '(memory (export "memory") 8) (func $alloc (export "quidditch_alloc") (param i32) (result i32) %s)'


def lying_allocators():
    for name, expected, body in ALLOCATORS:
        yield batch("allocator_that_%s_to_a_batch" % name, expected, "(nop)", ALLOC % body)
        yield typed("allocator_that_%s_to_a_string" % name, expected, TRUE, ALLOC % body)
    yield batch("allocator_of_another_signature", (INVALID,), "(nop)",
                MEMORY + '(func (export "quidditch_alloc") (param i64) (result i64) (i64.const 1024))')
    yield batch("allocator_that_is_a_memory", (ANSWERS, INVALID), "(nop)",
                '(memory (export "memory") (export "quidditch_alloc") 1)')


SHAPES = BY_HANDLE + BATCHES + TYPED + TRANSFORMS + list(lying_allocators())
