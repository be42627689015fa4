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
;;!                                     v5 -> v2
;;!                                     v8 -> v5
;;! @001a                               jump block2(v1)
;;!
;;!                                 block2(v4: i32):
;;! @0022                               br_table v4, block2(v4), [block5, block4(v4)]
;;!
;;!                                 block5:
;;! @002e                               brif.i32 v5, block2(v5), block6
;;!
;;!                                 block6:
;;! @0030                               v6 = iconst.i32 1
;;! @0036                               brif.i32 v5, block8, block9
;;!
;;!                                 block8:
;;! @0038                               v7 = iconst.i32 0
;;! @003c                               jump block7(v7)  ; v7 = 0
;;!
;;!                                 block9:
;;! @003c                               jump block7(v6)  ; v6 = 1
;;!
;;!                                 block7(v11: i32):
;;! @003f                               brif.i32 v5, block2(v11), block10
;;!
;;!                                 block10:
;;! @0041                               v9 = iconst.i32 2
;;! @0047                               brif.i32 v8, block2(v9), block11  ; v9 = 2
;;!
;;!                                 block11:
;;! @0049                               v10 = iconst.i32 1
;;! @004d                               jump block4(v10)  ; v10 = 1
;;!
;;!                                 block4(v12: i32):
;;! @0050                               jump block3
;;!
;;!                                 block3:
;;! @0053                               jump block1(v12)
;;!
;;!                                 block1(v3: i32):
;;! @0053                               return v3
;;! }
