;; SPDX-License-Identifier: Apache-2.0
;;
;; The typed shape: the arguments are the parameters of manifest.json, in their order, filled by the engine from the query
;; and from the documents' columns.
(module
  (func (export "score") (param $relevance f64) (param $popularity f64) (param $boost f64) (result f64)
    (f64.mul
      (local.get $relevance)
      (f64.add (f64.const 1) (f64.mul (local.get $boost) (local.get $popularity))))))
