;; test: asm aarch64
(module
  (func (export "f") (param v128 v128) (result v128)
    (f64x2.div (local.get 0) (local.get 1))))
;;! ;; function 0 wasm[0]: (v128, v128) -> v128, Wasm 0x20..0x29
;;!      0: stp      x29, x30, [sp, #-0x10]!
;;!      4: mov      x29, sp
;;!     ;; @25 F64x2Div
;;!      8: fdiv     v16.2d, v0.2d, v1.2d
;;!      c: fcmeq    v17.2d, v16.2d, v16.2d
;;!     10: fcmeq    v18.2d, v16.2d, v16.2d
;;!     14: and      v17.16b, v17.16b, v18.16b
;;!     18: mvn      v0.16b, v17.16b
;;!     1c: mov      x10, #0x7ff8000000000000
;;!     20: dup      v17.2d, x10
;;!     24: bsl      v0.16b, v17.16b, v16.16b
;;!     ;; @28 End
;;!     28: ldp      x29, x30, [sp], #0x10
;;!     2c: ret
