;; test: asm aarch64
(module
  (import "env" "host" (func $host (param i32)))
  (memory 1)
  (func (export "f") (param i32) (result i32)
    (call $host (local.get 0))
    (i32.load offset=16 (local.get 0))))
;;! ;; function 1 wasm[1]: (i32) -> i32, Wasm 0x36..0x41
;;!      0: stp      x29, x30, [sp, #-0x10]!
;;!      4: mov      x29, sp
;;!      8: stp      x19, x20, [sp, #-0x10]!
;;!      c: mov      x19, x0
;;!     10: mov      x20, x1
;;!     ;; @39 Call { function_index: 0 }
;;!     14: bl       #0x14  ; import 0
;;!     ;; @3d I32Load { memarg: MemArg { align: 2, max_align: 2, offset: 16, memory: 0 } }
;;!     18: add      x5, x19, w20, uxtw
;;!     1c: ldr      w0, [x5, #0x10]
;;!     ;; @40 End
;;!     20: ldp      x19, x20, [sp], #0x10
;;!     24: ldp      x29, x30, [sp], #0x10
;;!     28: ret
