;; test: asm
(module
  (global $sp (mut i32) (i32.const 65536))
  (func (export "f") (result i32)
    (global.set $sp (i32.sub (global.get $sp) (i32.const 16)))
    (global.get $sp)))
;;! ;; function 0 wasm[0]: () -> i32, Wasm 0x28..0x33
;;!      0: push     rbp
;;!      1: mov      rbp, rsp
;;!     ;; @29 GlobalGet { global_index: 0 }
;;!      4: mov      eax, dword ptr [rdi - 8]
;;!      7: mov      rsi, rax
;;!     ;; @2d I32Sub
;;!      a: sub      esi, 0x10
;;!     ;; @2e GlobalSet { global_index: 0 }
;;!      d: mov      dword ptr [rdi - 8], esi
;;!     10: sub      eax, 0x10
;;!     ;; @32 End
;;!     13: mov      rsp, rbp
;;!     16: pop      rbp
;;!     17: ret
