;; A function that calls itself to a depth of 500.
(module
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (func $down (param $depth i32) (param $x i32) (result i32)
    (if (result i32) (local.get $depth)
      (then
        (i32.add
          (i32.rotl
            (call $down (i32.sub (local.get $depth) (i32.const 1))
              (i32.mul (local.get $x) (i32.const 1664525)))
            (i32.const 1))
          (local.get $depth)))
      (else (local.get $x))))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $x i32)
    (local.set $n (i32.load (local.get $input)))
    (local.set $x (i32.const 1))
    (loop $again
      (local.set $x (call $down (i32.const 500) (local.get $x)))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.store (i32.const 1024) (i64.extend_i32_u (local.get $x)))
    (i64.const 0x8_0000_0400)))
