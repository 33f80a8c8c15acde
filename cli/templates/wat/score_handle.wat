;; SPDX-License-Identifier: Apache-2.0
;;
;; The handle shape: fields are looked up once, and their numbers then read without leaving the sandbox.
(module
  (import "env" "field_handle" (func $field_handle (param $name i32) (param $name_len i32) (result i32)))
  (import "env" "field_f64" (func $field_f64 (param $handle i32) (result f64)))
  (import "env" "score" (func $relevance (result f64)))
  (import "env" "get_param_f64"
    (func $get_param_f64 (param $name i32) (param $name_len i32) (param $out i32) (result i32)))

  ;; The host reads names from, and writes values to, the memory that is exported under this name.
  (memory (export "memory") 1)
  (data (i32.const 0) "popularity")
  (data (i32.const 16) "boost")
  ;; 24: the boost, 0 until it is written

  (global $popularity (mut i32) (i32.const -1))

  ;; At the first document. An instance serves one query, so a parameter that is the same for all its documents may be
  ;; kept as well.
  (func $prepare
    (global.set $popularity (call $field_handle (i32.const 0) (i32.const 10)))
    (drop (call $get_param_f64 (i32.const 16) (i32.const 5) (i32.const 24))))

  (func (export "score") (param $ctx i64) (result f64)
    (if (i32.lt_s (global.get $popularity) (i32.const 0)) (then (call $prepare)))
    (f64.mul
      (call $relevance)
      (f64.add
        (f64.const 1)
        (f64.mul (f64.load (i32.const 24)) (call $field_f64 (global.get $popularity)))))))
