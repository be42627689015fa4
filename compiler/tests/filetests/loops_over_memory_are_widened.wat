;; test: clif
;; Both loops get a guard and a wide loop before them; the third reads what it wrote a round ago.
(module (memory 1)
  (func $fill (param $p i32) (param $v i32) (param $end i32)
    (loop
      (i32.store (local.get $p) (local.get $v))
      (br_if 0 (i32.lt_u
        (local.tee $p (i32.add (local.get $p) (i32.const 4)))
        (local.get $end)))))
  (func $copy_down (param $p i32) (param $q i32) (param $n i32)
    (loop
      (i32.store8
        (local.tee $p (i32.sub (local.get $p) (i32.const 1)))
        (i32.load8_u (local.tee $q (i32.sub (local.get $q) (i32.const 1)))))
      (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func $sum (param $p i32) (param $n i32)
    (loop
      (i32.store offset=4 (local.get $p)
        (i32.add (i32.load (local.get $p)) (i32.load offset=4 (local.get $p))))
      (local.set $p (i32.add (local.get $p) (i32.const 4)))
      (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
;;! ;; function 0 fill: (i32, i32, i32) -> (), Wasm 0x25..0x3d
;;! function u0:0(i64, i32, i32, i32) system_v {
;;!     region0 = 0 "memory"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;;!                                     v5 -> v2
;;!                                     v10 -> v3
;;! @0026                               jump block5(v1)
;;!
;;!                                 block5(v13: i32):
;;! @002c                               v16 = iconst.i32 4
;;! @002c                               v17 = iadd v13, v16  ; v16 = 4
;;! @002c                               v18 = uextend.i64 v17
;;! @002c                               v19 = uextend.i64 v3
;;! @002c                               v20 = isub v19, v18
;;! @002c                               v21 = iconst.i64 16
;;! @002c                               v22 = icmp sge v20, v21  ; v21 = 16
;;! @002c                               brif v22, block6, block2(v13)
;;!
;;!                                 block6:
;;! @002c                               v23 = load.i64 notrap aligned v0-96
;;! @002c                               v24 = uextend.i64 v13
;;! @002c                               v25 = iadd v24, v20
;;! @002c                               v26 = iconst.i64 0
;;! @002c                               v27 = iadd v25, v26  ; v26 = 0
;;! @002c                               v28 = icmp ule v27, v23
;;! @002c                               v29 = splat.i32x4 v2
;;! @002c                               brif v28, block7(v13, v20), block2(v13)
;;!
;;!                                 block7(v14: i32, v15: i64):
;;! @002c                               v30 = uextend.i64 v14
;;! @002c                               v31 = iadd.i64 v0, v30
;;! @002c                               store.i32x4 little region0 v29, v31
;;! @002c                               v32 = iconst.i32 16
;;! @002c                               v33 = iadd v14, v32  ; v32 = 16
;;! @002c                               v34 = iconst.i64 -16
;;! @002c                               v35 = iadd v15, v34  ; v34 = -16
;;! @002c                               v36 = iconst.i64 16
;;! @002c                               v37 = icmp sge v35, v36  ; v36 = 16
;;! @002c                               brif v37, block7(v33, v35), block2(v33)
;;!
;;!                                 block2(v4: i32):
;;! @002c                               v6 = uextend.i64 v4
;;! @002c                               v7 = iadd.i64 v0, v6
;;! @002c                               store.i32 little region0 v5, v7
;;! @0031                               v8 = iconst.i32 4
;;! @0033                               v9 = iadd v4, v8  ; v8 = 4
;;! @0038                               v11 = icmp ult v9, v10
;;! @0038                               v12 = uextend.i32 v11
;;! @0039                               brif v12, block2(v9), block4
;;!
;;!                                 block4:
;;! @003b                               jump block3
;;!
;;!                                 block3:
;;! @003c                               jump block1
;;!
;;!                                 block1:
;;! @003c                               return
;;! }
;;!
;;! ;; function 1 copy_down: (i32, i32, i32) -> (), Wasm 0x3e..0x60
;;! function u0:1(i64, i32, i32, i32) system_v {
;;!     region0 = 0 "memory"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;;! @003f                               jump block5(v1, v2, v3)
;;!
;;!                                 block5(v20: i32, v21: i32, v22: i32):
;;! @0052                               v27 = iconst.i32 -1
;;! @0052                               v28 = iadd v22, v27  ; v27 = -1
;;! @0052                               v29 = uextend.i64 v28
;;! @0052                               v30 = iconst.i32 0
;;! @0052                               v31 = uextend.i64 v30  ; v30 = 0
;;! @0052                               v32 = isub v29, v31
;;! @0052                               v33 = iconst.i64 16
;;! @0052                               v34 = icmp sge v32, v33  ; v33 = 16
;;! @0052                               brif v34, block6, block2(v20, v21, v22)
;;!
;;!                                 block6:
;;! @0052                               v35 = load.i64 notrap aligned v0-96
;;! @0052                               v36 = iconst.i32 -1
;;! @0052                               v37 = iadd.i32 v20, v36  ; v36 = -1
;;! @0052                               v38 = uextend.i64 v37
;;! @0052                               v39 = iconst.i64 1
;;! @0052                               v40 = iadd v38, v39  ; v39 = 1
;;! @0052                               v41 = icmp ule v40, v35
;;! @0052                               v42 = icmp uge v38, v32
;;! @0052                               v43 = band v41, v42
;;! @0052                               v44 = iconst.i32 -1
;;! @0052                               v45 = iadd.i32 v21, v44  ; v44 = -1
;;! @0052                               v46 = uextend.i64 v45
;;! @0052                               v47 = iconst.i64 1
;;! @0052                               v48 = iadd v46, v47  ; v47 = 1
;;! @0052                               v49 = icmp ule v48, v35
;;! @0052                               v50 = icmp uge v46, v32
;;! @0052                               v51 = band v49, v50
;;! @0052                               v52 = band v43, v51
;;! @0052                               v53 = isub v38, v46
;;! @0052                               v54 = iconst.i64 15
;;! @0052                               v55 = iadd v53, v54  ; v54 = 15
;;! @0052                               v56 = iconst.i64 30
;;! @0052                               v57 = icmp ugt v55, v56  ; v56 = 30
;;! @0052                               v58 = band v52, v57
;;! @0052                               brif v58, block7(v20, v21, v22, v32), block2(v20, v21, v22)
;;!
;;!                                 block7(v23: i32, v24: i32, v25: i32, v26: i64):
;;! @0052                               v59 = iconst.i32 -16
;;! @0052                               v60 = iadd v23, v59  ; v59 = -16
;;! @0052                               v61 = uextend.i64 v60
;;! @0052                               v62 = iadd.i64 v0, v61
;;! @0052                               v63 = iconst.i32 -16
;;! @0052                               v64 = iadd v24, v63  ; v63 = -16
;;! @0052                               v65 = uextend.i64 v64
;;! @0052                               v66 = iadd.i64 v0, v65
;;! @0052                               v67 = load.i8x16 little region0 v66
;;! @0052                               store little region0 v67, v62
;;! @0052                               v68 = iconst.i32 -16
;;! @0052                               v69 = iadd v23, v68  ; v68 = -16
;;! @0052                               v70 = iconst.i32 -16
;;! @0052                               v71 = iadd v24, v70  ; v70 = -16
;;! @0052                               v72 = iconst.i32 -16
;;! @0052                               v73 = iadd v25, v72  ; v72 = -16
;;! @0052                               v74 = iconst.i64 -16
;;! @0052                               v75 = iadd v26, v74  ; v74 = -16
;;! @0052                               v76 = iconst.i64 16
;;! @0052                               v77 = icmp sge v75, v76  ; v76 = 16
;;! @0052                               brif v77, block7(v69, v71, v73, v75), block2(v69, v71, v73)
;;!
;;!                                 block2(v4: i32, v7: i32, v17: i32):
;;! @0043                               v5 = iconst.i32 1
;;! @0045                               v6 = isub v4, v5  ; v5 = 1
;;! @004a                               v8 = iconst.i32 1
;;! @004c                               v9 = isub v7, v8  ; v8 = 1
;;! @004f                               v10 = uextend.i64 v9
;;! @004f                               v11 = iadd.i64 v0, v10
;;! @004f                               v12 = load.i8 little region0 v11
;;! @004f                               v13 = uextend.i32 v12
;;! @0052                               v14 = ireduce.i8 v13
;;! @0052                               v15 = uextend.i64 v6
;;! @0052                               v16 = iadd.i64 v0, v15
;;! @0052                               store little region0 v14, v16
;;! @0057                               v18 = iconst.i32 1
;;! @0059                               v19 = isub v17, v18  ; v18 = 1
;;! @005c                               brif v19, block2(v6, v9, v19), block4
;;!
;;!                                 block4:
;;! @005e                               jump block3
;;!
;;!                                 block3:
;;! @005f                               jump block1
;;!
;;!                                 block1:
;;! @005f                               return
;;! }
;;!
;;! ;; function 2 sum: (i32, i32) -> (), Wasm 0x61..0x86
;;! function u0:2(i64, i32, i32) system_v {
;;!     region0 = 0 "memory"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32):
;;! @0062                               jump block2(v1, v2)
;;!
;;!                                 block2(v3: i32, v15: i32):
;;! @0068                               v4 = uextend.i64 v3
;;! @0068                               v5 = iadd.i64 v0, v4
;;! @0068                               v6 = load.i32 little region0 v5
;;! @006d                               v7 = uextend.i64 v3
;;! @006d                               v8 = iadd.i64 v0, v7
;;! @006d                               v9 = load.i32 little region0 v8+4
;;! @0070                               v10 = iadd v6, v9
;;! @0071                               v11 = uextend.i64 v3
;;! @0071                               v12 = iadd.i64 v0, v11
;;! @0071                               store little region0 v10, v12+4
;;! @0076                               v13 = iconst.i32 4
;;! @0078                               v14 = iadd v3, v13  ; v13 = 4
;;! @007d                               v16 = iconst.i32 1
;;! @007f                               v17 = isub v15, v16  ; v16 = 1
;;! @0082                               brif v17, block2(v14, v17), block4
;;!
;;!                                 block4:
;;! @0084                               jump block3
;;!
;;!                                 block3:
;;! @0085                               jump block1
;;!
;;!                                 block1:
;;! @0085                               return
;;! }
