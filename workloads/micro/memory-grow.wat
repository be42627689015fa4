;; Growth by a page, which is written to. The memory is the module's own, with an initialiser
;; instead of __heap_base, since the memory of a runtime does not grow on every engine. The host has
;; mapped all that it may grow to, so no engine asks the system for it.
(module
  (memory (export "memory") 1)
  (func (export "_initialize"))
  (func (export "run") (param $input i32) (param $len i32) (result i64)
    (local $n i32) (local $i i32) (local $x i32) (local $page i32)
    (local.set $n (i32.load (local.get $input)))
    (loop $again
      (local.set $page (memory.grow (i32.const 1)))
      (i32.store (i32.mul (local.get $page) (i32.const 65536)) (local.get $page))
      (local.set $x
        (i32.add (local.get $x) (i32.load (i32.mul (local.get $page) (i32.const 65536)))))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.store (i32.const 1024) (i64.extend_i32_u (local.get $x)))
    (i64.const 0x8_0000_0400)))
