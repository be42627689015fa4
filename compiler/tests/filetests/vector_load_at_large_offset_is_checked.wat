;; test: clif
(module
  (memory 1)
  (func (export "f") (param i32) (result v128)
    (v128.load32x2_u offset=2147483641 (local.get 0)))
  (func (export "g") (param i32) (result v128)
    (v128.load32x2_u offset=2147483640 (local.get 0))))
;;! ;; function 0 wasm[0]: (i32) -> v128, Wasm 0x29..0x35
;;! function u0:0(i64, i32) -> i8x16 system_v {
;;!     region0 = 0 "memory"
;;!     region1 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @002c                               v3 = uextend.i64 v1
;;! @002c                               v4 = iconst.i64 0x7fff_fff9
;;! @002c                               v5 = iadd v3, v4  ; v4 = 0x7fff_fff9
;;! @002c                               v6 = iconst.i64 0xffff_fff8
;;! @002c                               v7 = icmp ugt v5, v6  ; v6 = 0xffff_fff8
;;! @002c                               trapnz v7, heap_oob
;;! @002c                               v8 = iconst.i64 0
;;! @002c                               v9 = select_spectre_guard v7, v8, v5  ; v8 = 0
;;! @002c                               v10 = iadd v0, v9
;;! @002c                               v11 = uload32x2 little region0 v10
;;! @002c                               v12 = bitcast.i8x16 little v11
;;! @0034                               jump block1(v12)
;;!
;;!                                 block1(v2: i8x16):
;;! @0034                               return v2
;;! }
;;!
;;! ;; function 1 wasm[1]: (i32) -> v128, Wasm 0x36..0x42
;;! function u0:1(i64, i32) -> i8x16 system_v {
;;!     region0 = 0 "memory"
;;!     region1 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @0039                               v3 = uextend.i64 v1
;;! @0039                               v4 = iadd v0, v3
;;! @0039                               v5 = uload32x2 little region0 v4+0x7fff_fff8
;;! @0039                               v6 = bitcast.i8x16 little v5
;;! @0041                               jump block1(v6)
;;!
;;!                                 block1(v2: i8x16):
;;! @0041                               return v2
;;! }
