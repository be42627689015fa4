;; Direct calls of a function too small to matter.
(module
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (func $step (param i32 i32) (result i32)
    (i32.add (local.get 0) (i32.xor (local.get 1) (i32.const 0x5bd1e995))))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $x i32)
    (local.set $n (i32.load (local.get $input)))
    (local.set $x (i32.const 1))
    (loop $again
      (local.set $x (call $step (local.get $x) (local.get $i)))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.store (i32.const 1024) (i64.extend_i32_u (local.get $x)))
    (i64.const 0x8_0000_0400)))
