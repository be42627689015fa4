;; test: asm
(module
  (memory 1)
  (func $leaf (param i32) (result i32) (i32.load offset=4 (local.get 0)))
  (func (export "run") (param i32) (result i32)
    (i32.add (call $leaf (local.get 0)) (i32.load (local.get 0)))))
;;! ;; function 0 leaf: (i32) -> i32, Wasm 0x27..0x2e
;;!      0: push     rbp
;;!      1: mov      rbp, rsp
;;!     ;; @2a I32Load { memarg: MemArg { align: 2, max_align: 2, offset: 4, memory: 0 } }
;;!      4: mov      esi, esi
;;!      6: mov      eax, dword ptr [rdi + rsi + 4]
;;!     ;; @2d End
;;!      a: mov      rsp, rbp
;;!      d: pop      rbp
;;!      e: ret
;;!
;;! ;; function 1 wasm[1]: (i32) -> i32, Wasm 0x2f..0x3b
;;!      0: push     rbp
;;!      1: mov      rbp, rsp
;;!     ;; @2a leaf: I32Load { memarg: MemArg { align: 2, max_align: 2, offset: 4, memory: 0 } }
;;!      4: mov      r8d, esi
;;!      7: mov      esi, dword ptr [rdi + r8 + 4]
;;!     ;; @36 I32Load { memarg: MemArg { align: 2, max_align: 2, offset: 0, memory: 0 } }
;;!      c: mov      edi, dword ptr [rdi + r8]
;;!     ;; @39 I32Add
;;!     10: lea      eax, [rsi + rdi]
;;!     ;; @3a End
;;!     13: mov      rsp, rbp
;;!     16: pop      rbp
;;!     17: ret
