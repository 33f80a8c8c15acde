;; SPDX-License-Identifier: Apache-2.0
;;
;; A scorer in WebAssembly's own text: score * (1 + boost * rating), by the row shape and its host functions.
;; A document without a rating keeps its score.
(module
  ;; Host functions answer 0 when they wrote a value; anything else means that there is none to use.
  (import "env" "get_score" (func $get_score (param $ctx i64) (result f64)))
  (import "env" "get_field_f64"
    (func $get_field_f64 (param $ctx i64) (param $name i32) (param $name_len i32) (param $out i32) (result i32)))
  (import "env" "get_param_f64"
    (func $get_param_f64 (param $name i32) (param $name_len i32) (param $out i32) (result i32)))

  ;; The host reads names from, and writes values to, the memory that is exported under this name.
  (memory (export "memory") 1)
  (data (i32.const 0) "rating")  ;; 0..6
  (data (i32.const 8) "boost")   ;; 8..13
  ;; 16: the rating, 24: the boost

  (func (export "score") (param $ctx i64) (result f64)
    (if (call $get_field_f64 (local.get $ctx) (i32.const 0) (i32.const 6) (i32.const 16))
      (then (return (call $get_score (local.get $ctx)))))
    (if (call $get_param_f64 (i32.const 8) (i32.const 5) (i32.const 24))
      (then (return (call $get_score (local.get $ctx)))))
    (f64.mul
      (call $get_score (local.get $ctx))
      (f64.add
        (f64.const 1)
        (f64.mul (f64.load (i32.const 24)) (f64.load (i32.const 16)))))))
