;; Sums bytes. `guest.wasm` is this file in binary form (`wat2wasm guest.wat`).
(module
  ;; The host prints the bytes at an address.
  (import "env" "print" (func $print (param $address i32) (param $len i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "nothing to sum")
  (global $calls (mut i32) (i32.const 0))

  ;; How often `sum` was called on this instance, and the sum of `len` bytes at `address`.
  (func $sum (export "sum") (param $address i32) (param $len i32) (result i64)
    (local $sum i32)
    (if (i32.eqz (local.get $len))
      (then
        (call $print (i32.const 16) (i32.const 14))
        (unreachable)))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (loop $next
      (local.set $len (i32.sub (local.get $len) (i32.const 1)))
      (local.set $sum
        (i32.add (local.get $sum)
          (i32.load8_u (i32.add (local.get $address) (local.get $len)))))
      (br_if $next (local.get $len)))
    (i64.or
      (i64.shl (i64.extend_i32_u (global.get $calls)) (i64.const 32))
      (i64.extend_i32_u (local.get $sum)))))
