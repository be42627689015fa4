;; test: clif
(module
  (global $g i64 (i64.const 7))
  (func (result i64) (global.get $g)))
;;! ;; function 0 wasm[0]: () -> i64, Wasm 0x1f..0x23
;;! function u0:0(i64) -> i64 system_v {
;;!     region0 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64):
;;! @0020                               v2 = iconst.i64 7
;;! @0022                               jump block1(v2)  ; v2 = 7
;;!
;;!                                 block1(v1: i64):
;;! @0022                               return v1
;;! }
