;; Calls through a table, of the same one of four functions each time.
(module
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (type $step (func (param i32) (result i32)))
  (table funcref (elem $add $multiply $mix $rotate))
  (func $add (type $step) (i32.add (local.get 0) (i32.const 0x9e3779b9)))
  (func $multiply (type $step) (i32.mul (local.get 0) (i32.const 1664525)))
  (func $mix (type $step) (i32.xor (local.get 0) (i32.const 0x5bd1e995)))
  (func $rotate (type $step) (i32.rotl (local.get 0) (i32.const 7)))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $x i32)
    (local.set $n (i32.load (local.get $input)))
    (local.set $x (i32.const 1))
    (loop $again
      (local.set $x
        (call_indirect (type $step) (i32.add (local.get $x) (local.get $i))
          (i32.and (local.get $n) (i32.const 3))))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.store (i32.const 1024) (i64.extend_i32_u (local.get $x)))
    (i64.const 0x8_0000_0400)))
