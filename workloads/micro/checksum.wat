;; Adler's checksum of a page of squares, byte by byte.
(module
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $a i32) (local $b i32)
    (local.set $n (i32.load (local.get $input)))
    (local.set $a (i32.const 1))
    (loop $fill
      (i32.store8 offset=65536 (local.get $i) (i32.mul (local.get $i) (local.get $i)))
      (br_if $fill
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4096))))
    (loop $again
      (local.set $i (i32.const 0))
      (loop $byte
        (local.set $a (i32.add (local.get $a) (i32.load8_u offset=65536 (local.get $i))))
        (local.set $b (i32.add (local.get $b) (local.get $a)))
        (br_if $byte
          (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4096))))
      (local.set $a (i32.rem_u (local.get $a) (i32.const 65521)))
      (local.set $b (i32.rem_u (local.get $b) (i32.const 65521)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i64.store (i32.const 1024)
      (i64.extend_i32_u (i32.or (i32.shl (local.get $b) (i32.const 16)) (local.get $a))))
    (i64.const 0x8_0000_0400)))
