;; test: clif
;; Loops that nearly only dispatch: the local is written first, another operator comes before the
;; table, the loop takes a value, the constant is that of another local, and one that is written
;; between the two.
(module
  (func $write_first (param $next i32)
    (loop $go
      (block $0
        (local.set $next (i32.add (local.get $next) (i32.const 1)))
        (local.get $next)
        (br_table $0 $0))
      (local.set $next (i32.const 0))
      (br $go)))
  (func $other_operator (param $next i32)
    (loop $go
      (block $0
        (local.get $next)
        (i32.const 1)
        (i32.add)
        (br_table $0 $0))
      (local.set $next (i32.const 0))
      (br $go)))
  (func $takes_a_value (param $next i32)
    (i32.const 5)
    (loop $go (param i32)
      (drop)
      (block $0
        (local.get $next)
        (br_table $0 $0))
      (local.set $next (i32.const 0))
      (i32.const 6)
      (br $go)))
  (func $other_local (param $next i32) (param $other i32)
    (loop $go
      (block $0
        (local.get $next)
        (br_table $0 $0))
      (local.set $other (i32.const 0))
      (br $go)))
  (func $written_between (param $next i32)
    (loop $go
      (block $0
        (local.get $next)
        (br_table $0 $0))
      (local.set $next (i32.const 0))
      (local.set $next (i32.clz (local.get $next)))
      (br $go)))
  (func $led_into (param $next i32)
    (loop $go
      (block $0
        (local.get $next)
        (br_table $0 $0))
      (local.set $next (i32.const 0))
      (loop $again
        (br_if $go (local.get $next))
        (local.set $next (i32.clz (local.get $next)))
        (br $again)))))
;;! ;; function 0 write_first: (i32) -> (), Wasm 0x22..0x3d
;;! function u0:0(i64, i32) system_v {
;;!                                 block0(v0: i64, v1: i32):
;;! @0023                               jump block2(v1)
;;!
;;!                                 block2(v2: i32):
;;! @0029                               v3 = iconst.i32 1
;;! @002b                               v4 = iadd v2, v3  ; v3 = 1
;;! @0030                               jump block4
;;!
;;!                                 block4:
;;! @0035                               v5 = iconst.i32 0
;;! @0039                               jump block2(v5)  ; v5 = 0
;;! }
;;!
;;! ;; function 1 other_operator: (i32) -> (), Wasm 0x3e..0x55
;;! function u0:1(i64, i32) system_v {
;;!                                 block0(v0: i64, v1: i32):
;;! @003f                               jump block2(v1)
;;!
;;!                                 block2(v2: i32):
;;! @0045                               v3 = iconst.i32 1
;;! @0047                               v4 = iadd v2, v3  ; v3 = 1
;;! @0048                               jump block4
;;!
;;!                                 block4:
;;! @004d                               v5 = iconst.i32 0
;;! @0051                               jump block2(v5)  ; v5 = 0
;;! }
;;!
;;! ;; function 2 takes_a_value: (i32) -> (), Wasm 0x56..0x6f
;;! function u0:2(i64, i32) system_v {
;;!                                 block0(v0: i64, v1: i32):
;;! @0057                               v2 = iconst.i32 5
;;! @0059                               jump block2(v2, v1)  ; v2 = 5
;;!
;;!                                 block2(v3: i32, v4: i32):
;;! @0060                               jump block4
;;!
;;!                                 block4:
;;! @0065                               v5 = iconst.i32 0
;;! @0069                               v6 = iconst.i32 6
;;! @006b                               jump block2(v6, v5)  ; v6 = 6, v5 = 0
;;! }
;;!
;;! ;; function 3 other_local: (i32, i32) -> (), Wasm 0x70..0x84
;;! function u0:3(i64, i32, i32) system_v {
;;!                                 block0(v0: i64, v1: i32, v2: i32):
;;!                                     v3 -> v1
;;! @0071                               jump block2
;;!
;;!                                 block2:
;;! @0077                               jump block4
;;!
;;!                                 block4:
;;! @007c                               v4 = iconst.i32 0
;;! @0080                               jump block2
;;! }
;;!
;;! ;; function 4 written_between: (i32) -> (), Wasm 0x85..0x9e
;;! function u0:4(i64, i32) system_v {
;;!                                 block0(v0: i64, v1: i32):
;;! @0086                               jump block2(v1)
;;!
;;!                                 block2(v2: i32):
;;! @008c                               jump block4
;;!
;;!                                 block4:
;;! @0091                               v3 = iconst.i32 0
;;! @0097                               v4 = clz v3  ; v3 = 0
;;! @009a                               jump block2(v4)
;;! }
;;!
;;! ;; function 5 led_into: (i32) -> (), Wasm 0x9f..0xbf
;;! function u0:5(i64, i32) system_v {
;;!                                 block0(v0: i64, v1: i32):
;;! @00a0                               jump block2(v1)
;;!
;;!                                 block2(v2: i32):
;;! @00a6                               jump block4
;;!
;;!                                 block4:
;;! @00ab                               v3 = iconst.i32 0
;;! @00af                               jump block5(v3)  ; v3 = 0
;;!
;;!                                 block5(v4: i32):
;;! @00b3                               brif v4, block2(v4), block7
;;!
;;!                                 block7:
;;! @00b7                               v5 = clz.i32 v4
;;! @00ba                               jump block5(v5)
;;! }
