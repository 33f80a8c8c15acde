;; SPDX-License-Identifier: Apache-2.0
;;
;; A transform that gives a text, in the typed shape: a text among the arguments is two, where its bytes begin and how many
;; they are. They are UTF-8, never terminated, and gone when the function returns.
(module
  (import "env" "set_result_string" (func $set_result (param $text i32) (param $n i32)))
  (memory (export "memory") 1) ;; the engine lays texts at the end of it

  (func (export "transform") (param $text i32) (param $n i32) (param $length i32)
    (local $end i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $end) (local.get $n)))
        (if (i32.ne ;; the first byte of a character
              (i32.and (i32.load8_u (i32.add (local.get $text) (local.get $end))) (i32.const 0xc0))
              (i32.const 0x80))
          (then
            (br_if $done (i32.le_s (local.get $length) (i32.const 0)))
            (local.set $length (i32.sub (local.get $length) (i32.const 1)))))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $next)))
    (call $set_result (local.get $text) (local.get $end))))
