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
;;!                                 block5(v19: i32, v20: i32, v21: i32):
;;! @0052                               v26 = iconst.i32 -1
;;! @0052                               v27 = iadd v21, v26  ; v26 = -1
;;! @0052                               v28 = uextend.i64 v27
;;! @0052                               v29 = iconst.i32 0
;;! @0052                               v30 = uextend.i64 v29  ; v29 = 0
;;! @0052                               v31 = isub v28, v30
;;! @0052                               v32 = iconst.i64 16
;;! @0052                               v33 = icmp sge v31, v32  ; v32 = 16
;;! @0052                               brif v33, block6, block2(v19, v20, v21)
;;!
;;!                                 block6:
;;! @0052                               v34 = load.i64 notrap aligned v0-96
;;! @0052                               v35 = iconst.i32 -1
;;! @0052                               v36 = iadd.i32 v19, v35  ; v35 = -1
;;! @0052                               v37 = uextend.i64 v36
;;! @0052                               v38 = iconst.i64 1
;;! @0052                               v39 = iadd v37, v38  ; v38 = 1
;;! @0052                               v40 = icmp ule v39, v34
;;! @0052                               v41 = icmp uge v37, v31
;;! @0052                               v42 = band v40, v41
;;! @0052                               v43 = iconst.i32 -1
;;! @0052                               v44 = iadd.i32 v20, v43  ; v43 = -1
;;! @0052                               v45 = uextend.i64 v44
;;! @0052                               v46 = iconst.i64 1
;;! @0052                               v47 = iadd v45, v46  ; v46 = 1
;;! @0052                               v48 = icmp ule v47, v34
;;! @0052                               v49 = icmp uge v45, v31
;;! @0052                               v50 = band v48, v49
;;! @0052                               v51 = band v42, v50
;;! @0052                               v52 = isub v37, v45
;;! @0052                               v53 = iconst.i64 15
;;! @0052                               v54 = iadd v52, v53  ; v53 = 15
;;! @0052                               v55 = iconst.i64 30
;;! @0052                               v56 = icmp ugt v54, v55  ; v55 = 30
;;! @0052                               v57 = band v51, v56
;;! @0052                               brif v57, block7(v19, v20, v21, v31), block2(v19, v20, v21)
;;!
;;!                                 block7(v22: i32, v23: i32, v24: i32, v25: i64):
;;! @0052                               v58 = iconst.i32 -16
;;! @0052                               v59 = iadd v22, v58  ; v58 = -16
;;! @0052                               v60 = uextend.i64 v59
;;! @0052                               v61 = iadd.i64 v0, v60
;;! @0052                               v62 = iconst.i32 -16
;;! @0052                               v63 = iadd v23, v62  ; v62 = -16
;;! @0052                               v64 = uextend.i64 v63
;;! @0052                               v65 = iadd.i64 v0, v64
;;! @0052                               v66 = load.i8x16 little region0 v65
;;! @0052                               store little region0 v66, v61
;;! @0052                               v67 = iconst.i32 -16
;;! @0052                               v68 = iadd v22, v67  ; v67 = -16
;;! @0052                               v69 = iconst.i32 -16
;;! @0052                               v70 = iadd v23, v69  ; v69 = -16
;;! @0052                               v71 = iconst.i32 -16
;;! @0052                               v72 = iadd v24, v71  ; v71 = -16
;;! @0052                               v73 = iconst.i64 -16
;;! @0052                               v74 = iadd v25, v73  ; v73 = -16
;;! @0052                               v75 = iconst.i64 16
;;! @0052                               v76 = icmp sge v74, v75  ; v75 = 16
;;! @0052                               brif v76, block7(v68, v70, v72, v74), block2(v68, v70, v72)
;;!
;;!                                 block2(v4: i32, v7: i32, v16: i32):
;;! @0043                               v5 = iconst.i32 1
;;! @0045                               v6 = isub v4, v5  ; v5 = 1
;;! @004a                               v8 = iconst.i32 1
;;! @004c                               v9 = isub v7, v8  ; v8 = 1
;;! @004f                               v10 = uextend.i64 v9
;;! @004f                               v11 = iadd.i64 v0, v10
;;! @004f                               v12 = uload8.i32 little region0 v11
;;! @0052                               v13 = ireduce.i8 v12
;;! @0052                               v14 = uextend.i64 v6
;;! @0052                               v15 = iadd.i64 v0, v14
;;! @0052                               store little region0 v13, v15
;;! @0057                               v17 = iconst.i32 1
;;! @0059                               v18 = isub v16, v17  ; v17 = 1
;;! @005c                               brif v18, block2(v6, v9, v18), block4
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
