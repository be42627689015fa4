;; test: clif
(module
  (type $t (func (param i32) (result i32)))
  (table 3 funcref)
  (elem (i32.const 1) $f $f)
  (func $f (type $t) (local.get 0))
  (func (param i32) (result i32)
    (call_indirect (type $t) (i32.const 5) (local.get 0))))
;;! ;; function 0 f: (i32) -> i32, Wasm 0x29..0x2d
;;! function u0:0(i64, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @002c                               jump block1(v1)
;;!
;;!                                 block1(v2: i32):
;;! @002c                               return v2
;;! }
;;!
;;! ;; function 1 wasm[1]: (i32) -> i32, Wasm 0x2e..0x37
;;! function u0:1(i64, i32) -> i32 system_v {
;;!     region0 = 1 "tables"
;;!     region1 = 2 "vmctx"
;;!     gv0 = symbol colocated userextname0
;;!     gv1 = symbol colocated userextname1
;;!     sig0 = (i64, i32) -> i32 system_v
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @002f                               v3 = iconst.i32 5
;;! @0033                               v4 = iconst.i32 3
;;! @0033                               v5 = umin v1, v4  ; v4 = 3
;;! @0033                               v6 = uextend.i64 v5
;;! @0033                               v7 = symbol_value.i64 gv0
;;! @0033                               v8 = iconst.i64 3
;;! @0033                               v9 = ishl v6, v8  ; v8 = 3
;;! @0033                               v10 = iadd v7, v9
;;! @0033                               v11 = load.i32 notrap aligned readonly can_move region0 v10+4
;;! @0033                               v12 = iconst.i32 0
;;! @0033                               v13 = icmp eq v11, v12  ; v12 = 0
;;! @0033                               brif v13, block3, block2
;;!
;;!                                 block2 cold:
;;! @0033                               v14 = icmp.i32 uge v1, v4  ; v4 = 3
;;! @0033                               trapnz v14, user4
;;! @0033                               v15 = sload32.i64 notrap aligned readonly can_move region0 v10+4
;;! @0033                               v16 = iconst.i64 -1
;;! @0033                               v17 = icmp eq v15, v16  ; v16 = -1
;;! @0033                               trapnz v17, user5
;;! @0033                               trap user6
;;!
;;!                                 block3:
;;! @0033                               v18 = uload32.i64 notrap aligned readonly can_move region0 v10
;;! @0033                               v19 = symbol_value.i64 gv1
;;! @0033                               v20 = iadd v19, v18
;;! @0033                               v21 = call_indirect sig0, v20(v0, v3)  ; v3 = 5
;;! @0036                               jump block1(v21)
;;!
;;!                                 block1(v2: i32):
;;! @0036                               return v2
;;! }
