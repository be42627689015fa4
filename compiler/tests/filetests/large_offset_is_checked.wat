;; test: clif
(module
  (memory 1)
  (func (param i32) (result i64)
    (i64.load offset=0xfffffff8 (local.get 0))))
;;! ;; function 0 wasm[0]: (i32) -> i64, Wasm 0x1d..0x28
;;! function u0:0(i64, i32) -> i64 system_v {
;;!     region0 = 0 "memory"
;;!     region1 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @0020                               v3 = uextend.i64 v1
;;! @0020                               v4 = iconst.i64 0xffff_fff8
;;! @0020                               v5 = iadd v3, v4  ; v4 = 0xffff_fff8
;;! @0020                               v6 = iconst.i64 0xffff_fff8
;;! @0020                               v7 = icmp ugt v5, v6  ; v6 = 0xffff_fff8
;;! @0020                               trapnz v7, heap_oob
;;! @0020                               v8 = iconst.i64 0
;;! @0020                               v9 = select_spectre_guard v7, v8, v5  ; v8 = 0
;;! @0020                               v10 = iadd v0, v9
;;! @0020                               v11 = load.i64 little region0 v10
;;! @0027                               jump block1(v11)
;;!
;;!                                 block1(v2: i64):
;;! @0027                               return v2
;;! }
