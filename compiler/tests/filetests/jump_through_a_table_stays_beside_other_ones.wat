;; test: clif
;; What is in the local is known at one branch only; the table stays where it is for the others:
;; a value that is no constant, one that is written in one arm alone, the loop itself.
(module
  (func $f (param $next i32) (param i32) (result i32)
    (loop $go
      (block $1
        (block $0
          (local.get $next)
          (br_table $0 $1 $go))
        (local.set $next (local.get 1))
        (br_if $go (local.get 1))
        (local.set $next (i32.const 1))
        (if (local.get 1) (then (local.set $next (i32.const 0))))
        (br_if $go (local.get 1))
        (local.set $next (i32.const 2))
        (br_if $go (local.get 1))
        (local.set $next (i32.const 1))
        (br $go)))
    (local.get $next)))
;;! ;; function 0 f: (i32, i32) -> i32, Wasm 0x19..0x54
;;! function u0:0(i64, i32, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32):
;;!                                     v9 -> v2
;;!                                     v12 -> v9
;;! @001a                               jump block2(v1)
;;!
;;!                                 block2(v4: i32):
;;! @0022                               v5 = iconst.i32 1
;;! @0022                               v6 = icmp ult v4, v5  ; v5 = 1
;;! @0022                               brif v6, block5, block6
;;!
;;!                                 block6:
;;! @0023                               v7 = iconst.i32 2
;;! @0023                               v8 = icmp.i32 ult v4, v7  ; v7 = 2
;;! @0023                               brif v8, block4(v4), block7
;;!
;;!                                 block7:
;;! @0023                               jump block2(v4)
;;!
;;!                                 block5:
;;! @002e                               brif.i32 v9, block2(v9), block8
;;!
;;!                                 block8:
;;! @0030                               v10 = iconst.i32 1
;;! @0036                               brif.i32 v9, block10, block11
;;!
;;!                                 block10:
;;! @0038                               v11 = iconst.i32 0
;;! @003c                               jump block9(v11)  ; v11 = 0
;;!
;;!                                 block11:
;;! @003c                               jump block9(v10)  ; v10 = 1
;;!
;;!                                 block9(v15: i32):
;;! @003f                               brif.i32 v9, block2(v15), block12
;;!
;;!                                 block12:
;;! @0041                               v13 = iconst.i32 2
;;! @0047                               brif.i32 v12, block2(v13), block13  ; v13 = 2
;;!
;;!                                 block13:
;;! @0049                               v14 = iconst.i32 1
;;! @004d                               jump block4(v14)  ; v14 = 1
;;!
;;!                                 block4(v16: i32):
;;! @0050                               jump block3
;;!
;;!                                 block3:
;;! @0053                               jump block1(v16)
;;!
;;!                                 block1(v3: i32):
;;! @0053                               return v3
;;! }
