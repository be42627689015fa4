;; test: clif
;; Each branch with a constant in the local goes right to the table's entry, whether that is still
;; open or has ended, the default or outside the loop. Nothing else leads to the table, so it is
;; cold, behind a test for block 0.
(module
  (func $f (param $next i32) (param i32) (result i32)
    (block $out
      (loop $go
        (block $2
          (block $1
            (block $0
              (local.get $next)
              (br_table $0 $1 $2 $out))
            (local.set 1 (i32.sub (local.get 1) (i32.const 3)))
            (if (local.get 1) (then (local.set $next (i32.const 2)) (br $go))))
          (local.set $next (i32.const 0))
          (br_if $go (i32.lt_s (local.get 1) (i32.const 100)))
          (local.set $next (i32.const -1))
          (br $go))
        (local.set $next (i32.const 1))
        (local.set 1 (i32.add (local.get 1) (local.get $next)))
        (br $go)))
    (local.get $next)))
;;! ;; function 0 f: (i32, i32) -> i32, Wasm 0x19..0x65
;;! function u0:0(i64, i32, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32):
;;!                                     v4 -> v1
;;! @001c                               jump block3
;;!
;;!                                 block3:
;;! @0026                               brif.i32 v4, block8, block7(v2)
;;!
;;!                                 block8 cold:
;;! @0026                               br_table v4, block9, [block9, block10, block11]
;;!
;;!                                 block9 cold:
;;! @0026                               jump block2(v4)
;;!
;;!                                 block10 cold:
;;! @0026                               jump block6(v2)
;;!
;;!                                 block11 cold:
;;! @0026                               jump block5(v2)
;;!
;;!                                 block7(v5: i32):
;;! @002f                               v6 = iconst.i32 3
;;! @0031                               v7 = isub v5, v6  ; v6 = 3
;;! @0036                               brif v7, block13, block14
;;!
;;!                                 block13:
;;! @0038                               v8 = iconst.i32 2
;;! @003c                               jump block5(v7)
;;!
;;!                                 block14:
;;! @003e                               jump block12
;;!
;;!                                 block12:
;;! @003f                               jump block6(v7)
;;!
;;!                                 block6(v10: i32):
;;! @0040                               v9 = iconst.i32 0
;;! @0046                               v11 = iconst.i32 100
;;! @0049                               v12 = icmp slt v10, v11  ; v11 = 100
;;! @0049                               v13 = uextend.i32 v12
;;! @004a                               brif v13, block7(v10), block15
;;!
;;!                                 block15:
;;! @004c                               v14 = iconst.i32 -1
;;! @0050                               jump block2(v14)  ; v14 = -1
;;!
;;!                                 block5(v16: i32):
;;! @0053                               v15 = iconst.i32 1
;;! @005b                               v17 = iadd v16, v15  ; v15 = 1
;;! @005e                               jump block6(v17)
;;!
;;!                                 block2(v18: i32):
;;! @0064                               jump block1(v18)
;;!
;;!                                 block1(v3: i32):
;;! @0064                               return v3
;;! }
