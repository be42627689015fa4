;; Arithmetic of 64-bit integers: each step waits for the last.
(module
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $y i64)
    (local.set $n (i32.load (local.get $input)))
    (local.set $y (i64.const 1))
    (loop $again
      (local.set $y (i64.xor (local.get $y) (i64.shr_u (local.get $y) (i64.const 12))))
      (local.set $y (i64.xor (local.get $y) (i64.shl (local.get $y) (i64.const 25))))
      (local.set $y (i64.xor (local.get $y) (i64.shr_u (local.get $y) (i64.const 27))))
      (local.set $y (i64.mul (local.get $y) (i64.const 0x2545f4914f6cdd1d)))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.store (i32.const 1024) (local.get $y))
    (i64.const 0x8_0000_0400)))
