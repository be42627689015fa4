;; test: clif inline=off
(module
  (type $t (func (param i32) (result i32)))
  (table 3 funcref)
  (elem (i32.const 1) $f $f)
  (func $f (type $t) (local.get 0))
  (func (result i32)
    (call_indirect (type $t) (i32.const 5) (i32.const 2))))
;;! ;; function 0 f: (i32) -> i32, Wasm 0x2d..0x31
;;! function u0:0(i64, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @0030                               jump block1(v1)
;;!
;;!                                 block1(v2: i32):
;;! @0030                               return v2
;;! }
;;!
;;! ;; function 1 wasm[1]: () -> i32, Wasm 0x32..0x3b
;;! function u0:1(i64) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!     sig0 = (i64, i32) -> i32 system_v
;;!     fn0 = colocated u0:0 sig0
;;!
;;!                                 block0(v0: i64):
;;! @0033                               v2 = iconst.i32 5
;;! @0035                               v3 = iconst.i32 2
;;! @0037                               v4 = call fn0(v0, v2)  ; v2 = 5
;;! @003a                               jump block1(v4)
;;!
;;!                                 block1(v1: i32):
;;! @003a                               return v1
;;! }
