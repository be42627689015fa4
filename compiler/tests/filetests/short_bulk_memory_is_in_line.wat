;; test: clif
(module (memory 1)
  (func (param $to i32) (param $from i32) (memory.copy (local.get $to) (local.get $from) (i32.const 20)))
  (func (param $to i32) (param $value i32) (memory.fill (local.get $to) (local.get $value) (i32.const 7)))
  ;; Too long, or nothing but a check.
  (func (param $to i32) (param $from i32)
    (memory.copy (local.get $to) (local.get $from) (i32.const 65))
    (memory.fill (local.get $to) (local.get $from) (i32.const 0))))
;;! ;; function 0 wasm[0]: (i32, i32) -> (), Wasm 0x1f..0x2b
;;! function u0:0(i64, i32, i32) system_v {
;;!     region0 = 2 "vmctx"
;;!     region1 = 0 "memory"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32):
;;! @0024                               v3 = iconst.i32 20
;;! @0026                               v4 = uextend.i64 v1
;;! @0026                               v5 = iconst.i64 20
;;! @0026                               v6 = iadd v4, v5  ; v5 = 20
;;! @0026                               v7 = load.i64 notrap aligned region0 v0-96
;;! @0026                               v8 = icmp ugt v6, v7
;;! @0026                               trapnz v8, heap_oob
;;! @0026                               v9 = iadd v0, v4
;;! @0026                               v10 = uextend.i64 v2
;;! @0026                               v11 = iconst.i64 20
;;! @0026                               v12 = iadd v10, v11  ; v11 = 20
;;! @0026                               v13 = load.i64 notrap aligned region0 v0-96
;;! @0026                               v14 = icmp ugt v12, v13
;;! @0026                               trapnz v14, heap_oob
;;! @0026                               v15 = iadd v0, v10
;;! @0026                               v16 = load.i8x16 little region1 v15
;;! @0026                               v17 = load.i8x16 little region1 v15+4
;;! @0026                               store little region1 v16, v9
;;! @0026                               store little region1 v17, v9+4
;;! @002a                               jump block1
;;!
;;!                                 block1:
;;! @002a                               return
;;! }
;;!
;;! ;; function 1 wasm[1]: (i32, i32) -> (), Wasm 0x2c..0x37
;;! function u0:1(i64, i32, i32) system_v {
;;!     region0 = 2 "vmctx"
;;!     region1 = 0 "memory"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32):
;;! @0031                               v3 = iconst.i32 7
;;! @0033                               v4 = uextend.i64 v1
;;! @0033                               v5 = iconst.i64 7
;;! @0033                               v6 = iadd v4, v5  ; v5 = 7
;;! @0033                               v7 = load.i64 notrap aligned region0 v0-96
;;! @0033                               v8 = icmp ugt v6, v7
;;! @0033                               trapnz v8, heap_oob
;;! @0033                               v9 = iadd v0, v4
;;! @0033                               v10 = ireduce.i8 v2
;;! @0033                               v11 = uextend.i64 v10
;;! @0033                               v12 = iconst.i64 0x0101_0101_0101_0101
;;! @0033                               v13 = imul v11, v12  ; v12 = 0x0101_0101_0101_0101
;;! @0033                               v14 = ireduce.i32 v13
;;! @0033                               store little region1 v14, v9
;;! @0033                               store little region1 v14, v9+3
;;! @0036                               jump block1
;;!
;;!                                 block1:
;;! @0036                               return
;;! }
;;!
;;! ;; function 2 wasm[2]: (i32, i32) -> (), Wasm 0x38..0x4e
;;! function u0:2(i64, i32, i32) system_v {
;;!     sig0 = (i64, i32, i32, i32) system_v
;;!     sig1 = (i64, i32, i32, i32) system_v
;;!     fn0 = colocated u8:0 sig0
;;!     fn1 = colocated u8:1 sig1
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32):
;;! @003d                               v3 = iconst.i32 65
;;! @0040                               call fn0(v0, v1, v2, v3)  ; v3 = 65
;;! @0048                               v4 = iconst.i32 0
;;! @004a                               call fn1(v0, v1, v2, v4)  ; v4 = 0
;;! @004d                               jump block1
;;!
;;!                                 block1:
;;! @004d                               return
;;! }
