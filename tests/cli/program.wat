;; Prints its second argument and a line's end, and exits with the number of its arguments.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 300) "\n")
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (if (i32.gt_u (i32.load (i32.const 0)) (i32.const 1)) (then
      (drop (call $args (i32.const 100) (i32.const 200)))
      (i32.store (i32.const 16) (i32.load (i32.const 104)))
      (i32.store (i32.const 20) (i32.const 3))
      (i32.store (i32.const 24) (i32.const 300))
      (i32.store (i32.const 28) (i32.const 1))
      (drop (call $write (i32.const 1) (i32.const 16) (i32.const 2) (i32.const 8)))))
    (call $exit (i32.load (i32.const 0)))))
