;; test: clif inline=off
(module
  (func $two (result i32 i64) (i32.const 1) (i64.const 2))
  (func (result i64)
    (local i64)
    (call $two)
    (local.set 0)
    (drop)
    (local.get 0)))
;;! ;; function 0 two: () -> (i32, i64), Wasm 0x1d..0x23
;;! function u0:0(i64) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64):
;;! @001e                               v3 = iconst.i32 1
;;! @0020                               v4 = iconst.i64 2
;;! @0022                               jump block1(v3, v4)  ; v3 = 1, v4 = 2
;;!
;;!                                 block1(v1: i32, v2: i64):
;;! @0022                               store notrap aligned region0 v2, v0-144
;;! @0022                               return v1
;;! }
;;!
;;! ;; function 1 wasm[1]: () -> i64, Wasm 0x24..0x2f
;;! function u0:1(i64) -> i64 system_v {
;;!     region0 = 2 "vmctx"
;;!     sig0 = (i64) -> i32 system_v
;;!     fn0 = colocated u0:0 sig0
;;!
;;!                                 block0(v0: i64):
;;!                                     v1 = iconst.i64 0
;;! @0027                               v3 = call fn0(v0)
;;! @0027                               v4 = load.i64 notrap aligned region0 v0-144
;;! @002e                               jump block1(v4)
;;!
;;!                                 block1(v2: i64):
;;! @002e                               return v2
;;! }
