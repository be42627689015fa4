;; test: clif
(module
  (func (export "three") (param i32) (result i32)
    (block $a (result i32)
      (block $b (result i32)
        (br_table $a $a $b $b $a (i32.const 5) (local.get 0)))
      (return)))
  (func (export "one") (param i32)
    (block (br_table 0 0 0 (local.get 0)))))
;;! ;; function 0 wasm[0]: (i32) -> i32, Wasm 0x2e..0x42
;;! function u0:0(i64, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @0033                               v5 = iconst.i32 5
;;! @0037                               v6 = iconst.i32 2
;;! @0037                               v7 = icmp ult v1, v6  ; v6 = 2
;;! @0037                               brif v7, block2(v5), block4  ; v5 = 5
;;!
;;!                                 block4:
;;! @0038                               v8 = iconst.i32 4
;;! @0038                               v9 = icmp.i32 ult v1, v8  ; v8 = 4
;;! @0038                               brif v9, block3(v5), block5  ; v5 = 5
;;!
;;!                                 block5:
;;! @0038                               jump block2(v5)  ; v5 = 5
;;!
;;!                                 block3(v4: i32):
;;! @003f                               return v4
;;!
;;!                                 block2(v3: i32):
;;! @0041                               jump block1(v3)
;;!
;;!                                 block1(v2: i32):
;;! @0041                               return v2
;;! }
;;!
;;! ;; function 1 wasm[1]: (i32) -> (), Wasm 0x43..0x4f
;;! function u0:1(i64, i32) system_v {
;;!                                 block0(v0: i64, v1: i32):
;;! @0048                               jump block2
;;!
;;!                                 block2:
;;! @004e                               jump block1
;;!
;;!                                 block1:
;;! @004e                               return
;;! }
