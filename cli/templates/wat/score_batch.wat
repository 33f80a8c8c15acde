;; SPDX-License-Identifier: Apache-2.0
;;
;; The batch shape: a block of documents at once. The columns are the parameters of manifest.json, in their order, each
;; with a default: so all their values are valid. A column's descriptor has 16 bytes, the first 4 say where its values are.
(module
  (memory (export "memory") 1)

  (func (export "score") (param $n i32) (param $columns i32) (param $out i32)
    (local $relevance i32) (local $popularity i32) (local $boost i32) (local $result i32) (local $end i32)
    (local.set $relevance (i32.load (local.get $columns)))
    (local.set $popularity (i32.load offset=16 (local.get $columns)))
    (local.set $boost (i32.load offset=32 (local.get $columns)))
    (local.set $result (i32.load (local.get $out)))
    (local.set $end (i32.add (local.get $result) (i32.shl (local.get $n) (i32.const 3))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $result) (local.get $end)))
        (f64.store (local.get $result)
          (f64.mul
            (f64.load (local.get $relevance))
            (f64.add
              (f64.const 1)
              (f64.mul (f64.load (local.get $boost)) (f64.load (local.get $popularity))))))
        (local.set $relevance (i32.add (local.get $relevance) (i32.const 8)))
        (local.set $popularity (i32.add (local.get $popularity) (i32.const 8)))
        (local.set $boost (i32.add (local.get $boost) (i32.const 8)))
        (local.set $result (i32.add (local.get $result) (i32.const 8)))
        (br $next)))))
