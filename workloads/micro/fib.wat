;; A function that calls itself twice.
(module
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (func $fib (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else
        (i32.add
          (call $fib (i32.sub (local.get $n) (i32.const 1)))
          (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (i64.store (i32.const 1024)
      (i64.extend_i32_u (call $fib (i32.load (local.get $input)))))
    (i64.const 0x8_0000_0400)))
