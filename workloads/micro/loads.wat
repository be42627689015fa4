;; Loads from 64 KiB, a cache line apart.
(module
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $x i32)
    (local.set $n (i32.load (local.get $input)))
    (loop $fill
      (i32.store offset=65536 (i32.shl (local.get $i) (i32.const 2))
        (i32.mul (local.get $i) (i32.const 0x9e3779b1)))
      (br_if $fill
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 16384))))
    (local.set $i (i32.const 0))
    (loop $again
      (local.set $x
        (i32.add (local.get $x)
          (i32.load offset=65536 (i32.and (i32.mul (local.get $i) (i32.const 68)) (i32.const 0xfffc)))))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.store (i32.const 1024) (i64.extend_i32_u (local.get $x)))
    (i64.const 0x8_0000_0400)))
