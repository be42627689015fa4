;; Arithmetic of 64-bit floating point: each step waits for the last.
(module
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $f f64)
    (local.set $n (i32.load (local.get $input)))
    (local.set $f (f64.const 1))
    (loop $again
      (local.set $f
        (f64.sqrt
          (f64.add
            (f64.mul (local.get $f) (f64.const 1.25))
            (f64.div (f64.convert_i32_u (local.get $i)) (f64.add (local.get $f) (f64.const 0.5))))))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.store (i32.const 1024) (i64.reinterpret_f64 (local.get $f)))
    (i64.const 0x8_0000_0400)))
