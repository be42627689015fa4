;; test: asm
(module
  (func (export "f") (param v128 v128) (result v128)
    (f64x2.div (local.get 0) (local.get 1))))
;;! ;; function 0 wasm[0]: (v128, v128) -> v128, Wasm 0x20..0x29
;;!      0: push     rbp
;;!      1: mov      rbp, rsp
;;!     ;; @25 F64x2Div
;;!      4: vdivpd   xmm7, xmm0, xmm1
;;!      8: vcmpunordpd xmm0, xmm7, xmm7
;;!      d: vmovupd  xmm1, xmmword ptr [rip + 0xb]
;;!     15: vpblendvb xmm0, xmm7, xmm1, xmm0
;;!     ;; @28 End
;;!     1b: mov      rsp, rbp
;;!     1e: pop      rbp
;;!     1f: ret
;;!     20: add      byte ptr [rax], al
;;!     22: add      byte ptr [rax], al
;;!     24: add      byte ptr [rax], al
;;!     26: clc
;;!     27: jg       0x29
;;!     29: add      byte ptr [rax], al
;;!     2b: add      byte ptr [rax], al
;;!     2d: add      al, bh
;;!     2f: .byte    0x7f
