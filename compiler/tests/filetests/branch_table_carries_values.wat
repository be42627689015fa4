;; test: clif
(module
  (func (param i32) (result i32)
    (block $a (result i32)
      (block $b (result i32)
        (br_table $a $b $a $b (i32.const 7) (local.get 0)))
      (i32.const 1)
      (i32.add))))
;;! ;; function 0 wasm[0]: (i32) -> i32, Wasm 0x18..0x2d
;;! function u0:0(i64, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @001d                               v5 = iconst.i32 7
;;! @0021                               br_table v1, block3(v5), [block2(v5), block3(v5), block2(v5)]  ; v5 = 7, v5 = 7, v5 = 7, v5 = 7
;;!
;;!                                 block3(v4: i32):
;;! @0028                               v6 = iconst.i32 1
;;! @002a                               v7 = iadd v4, v6  ; v6 = 1
;;! @002b                               jump block2(v7)
;;!
;;!                                 block2(v3: i32):
;;! @002c                               jump block1(v3)
;;!
;;!                                 block1(v2: i32):
;;! @002c                               return v2
;;! }
