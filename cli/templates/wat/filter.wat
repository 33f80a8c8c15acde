;; SPDX-License-Identifier: Apache-2.0
;;
;; A filter in the typed shape: the arguments are the parameters of manifest.json, in their order. A document that has no
;; price is not asked about, and does not pass.
(module
  (func (export "filter") (param $price f64) (param $limit f64) (result i32)
    (f64.le (local.get $price) (local.get $limit))))
