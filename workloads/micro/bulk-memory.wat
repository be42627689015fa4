;; Copies of 4 KiB that overlap, and fills of 256 bytes; then all of it is summed up.
(module
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $x i32) (local $at i32)
    (local.set $n (i32.load (local.get $input)))
    (loop $again
      (memory.fill
        (i32.add (i32.const 65536) (i32.and (i32.mul (local.get $i) (i32.const 640)) (i32.const 0x7fff)))
        (local.get $i) (i32.const 256))
      (memory.copy
        (i32.add (i32.const 65536) (i32.and (i32.mul (local.get $i) (i32.const 1056)) (i32.const 0x7fff)))
        (i32.add (i32.const 65536) (i32.and (i32.mul (local.get $i) (i32.const 352)) (i32.const 0x7fff)))
        (i32.const 4096))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (loop $sum
      (local.set $x
        (i32.add (i32.rotl (local.get $x) (i32.const 1)) (i32.load offset=65536 (local.get $at))))
      (br_if $sum
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (i32.const 65536))))
    (i64.store (i32.const 1024) (i64.extend_i32_u (local.get $x)))
    (i64.const 0x8_0000_0400)))
