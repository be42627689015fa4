;; Calls of a host function that does next to nothing.
(module
  (import "env" "ext_logging_max_level_version_1" (func $host (result i32)))
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $x i32)
    (local.set $n (i32.load (local.get $input)))
    (loop $again
      (drop (call $host))
      (local.set $x (i32.add (local.get $x) (local.get $i)))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.store (i32.const 1024) (i64.extend_i32_u (local.get $x)))
    (i64.const 0x8_0000_0400)))
