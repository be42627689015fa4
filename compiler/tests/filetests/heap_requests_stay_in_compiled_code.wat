;; test: clif
(module
  (import "env" "memory" (memory 1))
  (import "env" "ext_allocator_malloc_version_1" (func $malloc (param i32) (result i32)))
  (import "env" "ext_allocator_free_version_1" (func $free (param i32)))
  (func (export "f") (param i32) (call $free (call $malloc (local.get 0)))))
;;! ;; function 2 wasm[2]: (i32) -> (), Wasm 0x7c..0x84
;;! function u0:2(i64, i32) system_v {
;;!     sig0 = (i64, i32) -> i32 system_v
;;!     sig1 = (i64, i32) system_v
;;!     fn0 = colocated u7:0 sig0
;;!     fn1 = colocated u7:1 sig1
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @007f                               v2 = call fn0(v0, v1)
;;! @0081                               call fn1(v0, v2)
;;! @0083                               jump block1
;;!
;;!                                 block1:
;;! @0083                               return
;;! }
