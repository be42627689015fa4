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
;;! @0033                               v5 = icmp uge v1, v4  ; v4 = 3
;;! @0033                               trapnz v5, user4
;;! @0033                               v6 = uextend.i64 v1
;;! @0033                               v7 = iconst.i64 0
;;! @0033                               v8 = select_spectre_guard v5, v7, v6  ; v7 = 0
;;! @0033                               v9 = symbol_value.i64 gv0
;;! @0033                               v10 = iconst.i64 3
;;! @0033                               v11 = ishl v8, v10  ; v10 = 3
;;! @0033                               v12 = iadd v9, v11
;;! @0033                               v13 = load.i32 notrap aligned readonly can_move region0 v12+4
;;! @0033                               v14 = iconst.i32 0
;;! @0033                               v15 = icmp eq v13, v14  ; v14 = 0
;;! @0033                               brif v15, block3, block2
;;!
;;!                                 block2 cold:
;;! @0033                               v16 = iconst.i32 -1
;;! @0033                               v17 = icmp.i32 eq v13, v16  ; v16 = -1
;;! @0033                               trapnz v17, user5
;;! @0033                               trap user6
;;!
;;!                                 block3:
;;! @0033                               v18 = load.i32 notrap aligned readonly can_move region0 v12
;;! @0033                               v19 = uextend.i64 v18
;;! @0033                               v20 = symbol_value.i64 gv1
;;! @0033                               v21 = iadd v20, v19
;;! @0033                               v22 = call_indirect sig0, v21(v0, v3)  ; v3 = 5
;;! @0036                               jump block1(v22)
;;!
;;!                                 block1(v2: i32):
;;! @0036                               return v2
;;! }
