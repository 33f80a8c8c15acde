;; SPDX-License-Identifier: Apache-2.0
;;
;; The row shape: the function gets a context, and asks for fields and parameters by host functions, which answer 0 when
;; they wrote a value, and something else when there is none.
(module
  (import "env" "get_field_f64"
    (func $get_field_f64 (param $ctx i64) (param $name i32) (param $name_len i32) (param $out i32) (result i32)))
  (import "env" "get_param_f64"
    (func $get_param_f64 (param $name i32) (param $name_len i32) (param $out i32) (result i32)))

  ;; The host reads names from, and writes values to, the memory that is exported under this name.
  (memory (export "memory") 1)
  (data (i32.const 0) "price")
  (data (i32.const 8) "limit")
  ;; 16: the price, 24: the limit

  (func (export "filter") (param $ctx i64) (result i32)
    (if (call $get_field_f64 (local.get $ctx) (i32.const 0) (i32.const 5) (i32.const 16))
      (then (return (i32.const 0))))
    (if (call $get_param_f64 (i32.const 8) (i32.const 5) (i32.const 24))
      (then (return (i32.const 0))))
    (f64.le (f64.load (i32.const 16)) (f64.load (i32.const 24)))))
