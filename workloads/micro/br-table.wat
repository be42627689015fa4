;; A switch with eight cases, of which the last result chooses one.
(module
  (memory (export "memory") 3)
  (global (export "__heap_base") i32 (i32.const 131072))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $x i32)
    (local.set $n (i32.load (local.get $input)))
    (local.set $x (i32.const 1))
    (loop $again
      (block $done
        (block $7 (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
          (br_table $0 $1 $2 $3 $4 $5 $6 $7
            (i32.and (i32.shr_u (local.get $x) (i32.const 5)) (i32.const 7))))
          (local.set $x (i32.add (local.get $x) (i32.const 0x9e3779b9))) (br $done))
          (local.set $x (i32.mul (local.get $x) (i32.const 1664525))) (br $done))
          (local.set $x (i32.xor (local.get $x) (i32.const 0x5bd1e995))) (br $done))
          (local.set $x (i32.rotl (local.get $x) (i32.const 7))) (br $done))
          (local.set $x (i32.sub (local.get $x) (i32.const 12345))) (br $done))
          (local.set $x (i32.rotl (local.get $x) (i32.const 13))) (br $done))
          (local.set $x (i32.xor (local.get $x) (i32.const -1))) (br $done))
        (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 5)) (i32.const 1))))
      (local.set $x (i32.add (local.get $x) (local.get $i)))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.store (i32.const 1024) (i64.extend_i32_u (local.get $x)))
    (i64.const 0x8_0000_0400)))
