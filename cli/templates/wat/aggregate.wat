;; SPDX-License-Identifier: Apache-2.0
;;
;; An aggregate in the typed shape: five functions that share a state. Each segment of an index has a state of its own, in
;; an instance of its own; they leave as bytes, and are merged into a last one, which gives the result.
(module
  (import "env" "set_result_missing" (func $set_result_missing))
  (memory (export "memory") 1)
  ;; 16: the state, a sum and a count, both f64; an instance has one

  (func $add (param $state i32) (param $sum f64) (param $n f64)
    (f64.store (local.get $state) (f64.add (f64.load (local.get $state)) (local.get $sum)))
    (f64.store offset=8 (local.get $state) (f64.add (f64.load offset=8 (local.get $state)) (local.get $n))))

  (func (export "aggregate_init") (result i32)
    (i32.const 16))

  (func (export "aggregate_update") (param $state i32) (param $value f64)
    (call $add (local.get $state) (local.get $value) (f64.const 1)))

  ;; Where the state's bytes lie, in the upper half, and how many they are.
  (func (export "aggregate_serialize") (param $state i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $state)) (i64.const 32)) (i64.const 16)))

  ;; Adds a state that aggregate_serialize gave in another instance.
  (func (export "aggregate_merge") (param $state i32) (param $other i32) (param $n i32)
    (if (i32.ne (local.get $n) (i32.const 16)) (then (unreachable)))
    (call $add (local.get $state) (f64.load (local.get $other)) (f64.load offset=8 (local.get $other))))

  (func (export "aggregate_finish") (param $state i32) (result f64)
    (if (f64.eq (f64.load offset=8 (local.get $state)) (f64.const 0)) (then (call $set_result_missing)))
    (f64.div (f64.load (local.get $state)) (f64.load offset=8 (local.get $state)))))
