;; test: asm
(module
  (import "env" "host" (func $host (param i32) (result i32)))
  (memory 1)
  (func (export "f") (param i32)
    (drop (call $host (i32.const 0)))
    (loop $again
      (br_if $again (local.tee 0 (call $host (local.get 0)))))))
;;! ;; function 1 wasm[1]: (i32) -> (), Wasm 0x36..0x48
;;!      0: push     rbp
;;!      1: mov      rbp, rsp
;;!      4: sub      rsp, 0x30
;;!      8: mov      qword ptr [rsp], rbx
;;!      c: mov      qword ptr [rsp + 8], r12
;;!     11: mov      qword ptr [rsp + 0x10], r13
;;!     16: mov      qword ptr [rsp + 0x18], r14
;;!     1b: mov      qword ptr [rsp + 0x20], r15
;;!     20: mov      rbx, rsi
;;!     ;; @37 I32Const { value: 0 }
;;!     23: xor      esi, esi
;;!     25: mov      r15, rdi
;;!     ;; @39 Call { function_index: 0 }
;;!     28: call     0x2d  ; import 0
;;!     ;; @40 Call { function_index: 0 }
;;!     2d: mov      r12, rbp
;;!     30: mov      r13, rsp
;;!     33: lea      r14, [rip]  ; host
;;!     ;; @40 Call { function_index: 0 }
;;!     3a: mov      qword ptr [r15 - 0x78], r12
;;!     3e: cmp      r13, qword ptr [r15 - 0x80]
;;!     42: jbe      0x8c
;;!     48: lea      rax, [r13 - 8]
;;!     ;; @40 Call { function_index: 0 }
;;!     4c: mov      qword ptr [r15 - 0x70], rax
;;!     50: mov      rax, qword ptr [r14]
;;!     53: mov      rsi, rbx
;;!     56: mov      rdi, r15
;;!     59: call     rax
;;!     ;; @44 BrIf { relative_depth: 0 }
;;!     5b: test     eax, eax
;;!     5d: je       0x6b
;;!     63: mov      rbx, rax
;;!     66: jmp      0x3a
;;!     ;; @47 End
;;!     6b: mov      rbx, qword ptr [rsp]
;;!     6f: mov      r12, qword ptr [rsp + 8]
;;!     74: mov      r13, qword ptr [rsp + 0x10]
;;!     79: mov      r14, qword ptr [rsp + 0x18]
;;!     7e: mov      r15, qword ptr [rsp + 0x20]
;;!     83: add      rsp, 0x30
;;!     87: mov      rsp, rbp
;;!     8a: pop      rbp
;;!     8b: ret
;;!     ;; @40 Call { function_index: 0 }
;;!     8c: ud2
