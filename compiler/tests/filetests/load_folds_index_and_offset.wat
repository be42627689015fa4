;; test: asm
(module
  (memory 1)
  (func (export "f") (param i32) (result i32)
    (i32.load offset=16 (local.get 0))))
;;! ;; function 0 wasm[0]: (i32) -> i32, Wasm 0x24..0x2b
;;!      0: push     rbp
;;!      1: mov      rbp, rsp
;;!     ;; @27 I32Load { memarg: MemArg { align: 2, max_align: 2, offset: 16, memory: 0 } }
;;!      4: mov      esi, esi
;;!      6: mov      eax, dword ptr [rdi + rsi + 0x10]
;;!     ;; @2a End
;;!      a: mov      rsp, rbp
;;!      d: pop      rbp
;;!      e: ret
