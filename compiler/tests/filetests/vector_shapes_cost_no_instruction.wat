;; test: asm
(module
  (memory 1)
  (func (export "f") (param v128 i32) (result v128)
    (i32x4.add
      (i16x8.mul (local.get 0) (local.get 0))
      (v128.load offset=16 (local.get 1)))))
;;! ;; function 0 wasm[0]: (v128, i32) -> v128, Wasm 0x25..0x37
;;!      0: push     rbp
;;!      1: mov      rbp, rsp
;;!     ;; @2f V128Load { memarg: MemArg { align: 4, max_align: 4, offset: 16, memory: 0 } }
;;!      4: mov      r8d, esi
;;!      7: vmovdqu  xmm7, xmmword ptr [rdi + r8 + 0x10]
;;!     ;; @2a I16x8Mul
;;!      e: vpmullw  xmm0, xmm0, xmm0
;;!     ;; @33 I32x4Add
;;!     12: vpaddd   xmm0, xmm0, xmm7
;;!     ;; @36 End
;;!     16: mov      rsp, rbp
;;!     19: pop      rbp
;;!     1a: ret
