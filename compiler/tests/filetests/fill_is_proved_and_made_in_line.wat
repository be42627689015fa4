;; test: clif
(module (memory 1)
  ;; By the byte, with zeros: up to 64 bytes.
  (func $zeros (param $to i32) (param $len i32) (local $at i32)
    (block $done
      (loop $again
        (br_if $done (i32.eq (local.get $at) (local.get $len)))
        (i32.store8 (i32.add (local.get $to) (local.get $at)) (i32.const 0))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $again))))
  ;; Ones are none.
  (func $ones (param $to i32) (param $len i32) (local $at i32)
    (block $done
      (loop $again
        (br_if $done (i32.eq (local.get $at) (local.get $len)))
        (i32.store8 (i32.add (local.get $to) (local.get $at)) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $again)))))
;;! ;; function 0 zeros: (i32, i32) -> (), Wasm 0x1e..0x42
;;! function u0:0(i64, i32, i32) system_v {
;;!     region0 = 2 "vmctx"
;;!     region1 = 0 "memory"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32):
;;!                                     v52 -> v1
;;!                                     v49 -> v2
;;! @001e                               v3 = iconst.i32 0
;;! @001e                               v4 = iconst.i32 -1
;;! @001e                               v5 = iadd v2, v4  ; v4 = -1
;;! @001e                               v6 = iconst.i32 64
;;! @001e                               v7 = icmp ult v5, v6  ; v6 = 64
;;! @001e                               brif v7, block1, block3
;;!
;;!                                 block1:
;;! @001e                               v8 = load.i64 notrap aligned region0 v0-96
;;! @001e                               v9 = iconst.i64 -97
;;! @001e                               v10 = iadd v8, v9  ; v9 = -97
;;! @001e                               v11 = uextend.i64 v1
;;! @001e                               v12 = iconst.i64 -16
;;! @001e                               v13 = iadd v11, v12  ; v12 = -16
;;! @001e                               v14 = icmp ult v13, v10
;;! @001e                               brif v14, block2, block3
;;!
;;!                                 block2:
;;! @001e                               v15 = uextend.i64 v1
;;! @001e                               v16 = iadd.i64 v0, v15
;;! @001e                               v17 = ireduce.i8 v3  ; v3 = 0
;;! @001e                               v18 = uextend.i64 v2
;;! @001e                               v19 = iconst.i32 33
;;! @001e                               v20 = icmp.i32 uge v2, v19  ; v19 = 33
;;! @001e                               brif v20, block5, block6
;;!
;;!                                 block5:
;;! @001e                               v21 = iadd.i64 v16, v18
;;! @001e                               v22 = splat.i8x16 v17
;;! @001e                               store little region1 v22, v16
;;! @001e                               store little region1 v22, v16+16
;;! @001e                               store little region1 v22, v21-16
;;! @001e                               store little region1 v22, v21-32
;;! @001e                               jump block4
;;!
;;!                                 block6:
;;! @001e                               v23 = iconst.i32 16
;;! @001e                               v24 = icmp.i32 uge v2, v23  ; v23 = 16
;;! @001e                               brif v24, block7, block8
;;!
;;!                                 block7:
;;! @001e                               v25 = iadd.i64 v16, v18
;;! @001e                               v26 = splat.i8x16 v17
;;! @001e                               store little region1 v26, v16
;;! @001e                               store little region1 v26, v25-16
;;! @001e                               jump block4
;;!
;;!                                 block8:
;;! @001e                               v27 = iconst.i32 8
;;! @001e                               v28 = icmp.i32 uge v2, v27  ; v27 = 8
;;! @001e                               brif v28, block9, block10
;;!
;;!                                 block9:
;;! @001e                               v29 = iadd.i64 v16, v18
;;! @001e                               v30 = uextend.i64 v17
;;! @001e                               v31 = iconst.i64 0x0101_0101_0101_0101
;;! @001e                               v32 = imul v30, v31  ; v31 = 0x0101_0101_0101_0101
;;! @001e                               store little region1 v32, v16
;;! @001e                               store little region1 v32, v29-8
;;! @001e                               jump block4
;;!
;;!                                 block10:
;;! @001e                               v33 = iconst.i32 4
;;! @001e                               v34 = icmp.i32 uge v2, v33  ; v33 = 4
;;! @001e                               brif v34, block11, block12
;;!
;;!                                 block11:
;;! @001e                               v35 = iadd.i64 v16, v18
;;! @001e                               v36 = uextend.i64 v17
;;! @001e                               v37 = iconst.i64 0x0101_0101_0101_0101
;;! @001e                               v38 = imul v36, v37  ; v37 = 0x0101_0101_0101_0101
;;! @001e                               v39 = ireduce.i32 v38
;;! @001e                               store little region1 v39, v16
;;! @001e                               store little region1 v39, v35-4
;;! @001e                               jump block4
;;!
;;!                                 block12:
;;! @001e                               v40 = iconst.i32 2
;;! @001e                               v41 = icmp.i32 uge v2, v40  ; v40 = 2
;;! @001e                               brif v41, block13, block14
;;!
;;!                                 block13:
;;! @001e                               v42 = iadd.i64 v16, v18
;;! @001e                               v43 = uextend.i64 v17
;;! @001e                               v44 = iconst.i64 0x0101_0101_0101_0101
;;! @001e                               v45 = imul v43, v44  ; v44 = 0x0101_0101_0101_0101
;;! @001e                               v46 = ireduce.i16 v45
;;! @001e                               store little region1 v46, v16
;;! @001e                               store little region1 v46, v42-2
;;! @001e                               jump block4
;;!
;;!                                 block14:
;;! @001e                               store.i8 little region1 v17, v16
;;! @001e                               jump block4
;;!
;;!                                 block4:
;;! @001e                               return
;;!
;;!                                 block3:
;;! @001e                               v47 = iconst.i32 0
;;! @0023                               jump block20(v47)  ; v47 = 0
;;!
;;!                                 block20(v60: i32):
;;! @0033                               v63 = uextend.i64 v60
;;! @0033                               v64 = uextend.i64 v2
;;! @0033                               v65 = isub v64, v63
;;! @0033                               v66 = iconst.i64 16
;;! @0033                               v67 = icmp sge v65, v66  ; v66 = 16
;;! @0033                               brif v67, block21, block17(v60)
;;!
;;!                                 block21:
;;! @0033                               v68 = load.i64 notrap aligned v0-96
;;! @0033                               v69 = iadd.i32 v1, v60
;;! @0033                               v70 = uextend.i64 v69
;;! @0033                               v71 = iadd v70, v65
;;! @0033                               v72 = iconst.i64 0
;;! @0033                               v73 = iadd v71, v72  ; v72 = 0
;;! @0033                               v74 = icmp ule v73, v68
;;! @0033                               v75 = iconst.i8 0
;;! @0033                               v76 = splat.i8x16 v75  ; v75 = 0
;;! @0033                               brif v74, block22(v60, v65), block17(v60)
;;!
;;!                                 block22(v61: i32, v62: i64):
;;! @0033                               v77 = iadd.i32 v1, v61
;;! @0033                               v78 = uextend.i64 v77
;;! @0033                               v79 = iadd.i64 v0, v78
;;! @0033                               store.i8x16 little region1 v76, v79
;;! @0033                               v80 = iconst.i32 16
;;! @0033                               v81 = iadd v61, v80  ; v80 = 16
;;! @0033                               v82 = iconst.i64 -16
;;! @0033                               v83 = iadd v62, v82  ; v82 = -16
;;! @0033                               v84 = iconst.i64 16
;;! @0033                               v85 = icmp sge v83, v84  ; v84 = 16
;;! @0033                               brif v85, block22(v81, v83), block17(v81)
;;!
;;!                                 block17(v48: i32):
;;! @0029                               v50 = icmp eq v48, v49
;;! @0029                               v51 = uextend.i32 v50
;;! @002a                               brif v51, block16, block19
;;!
;;!                                 block19:
;;! @0030                               v53 = iadd.i32 v52, v48
;;! @0031                               v54 = iconst.i32 0
;;! @0033                               v55 = ireduce.i8 v54  ; v54 = 0
;;! @0033                               v56 = uextend.i64 v53
;;! @0033                               v57 = iadd.i64 v0, v56
;;! @0033                               store little region1 v55, v57
;;! @0038                               v58 = iconst.i32 1
;;! @003a                               v59 = iadd.i32 v48, v58  ; v58 = 1
;;! @003d                               jump block17(v59)
;;!
;;!                                 block16:
;;! @0041                               jump block15
;;!
;;!                                 block15:
;;! @0041                               return
;;! }
;;!
;;! ;; function 1 ones: (i32, i32) -> (), Wasm 0x43..0x67
;;! function u0:1(i64, i32, i32) system_v {
;;!     region0 = 0 "memory"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32):
;;!                                     v8 -> v1
;;!                                     v5 -> v2
;;!                                     v3 = iconst.i32 0
;;! @0048                               jump block6(v3)  ; v3 = 0
;;!
;;!                                 block6(v16: i32):
;;! @0058                               v19 = uextend.i64 v16
;;! @0058                               v20 = uextend.i64 v2
;;! @0058                               v21 = isub v20, v19
;;! @0058                               v22 = iconst.i64 16
;;! @0058                               v23 = icmp sge v21, v22  ; v22 = 16
;;! @0058                               brif v23, block7, block3(v16)
;;!
;;!                                 block7:
;;! @0058                               v24 = load.i64 notrap aligned v0-96
;;! @0058                               v25 = iadd.i32 v1, v16
;;! @0058                               v26 = uextend.i64 v25
;;! @0058                               v27 = iadd v26, v21
;;! @0058                               v28 = iconst.i64 0
;;! @0058                               v29 = iadd v27, v28  ; v28 = 0
;;! @0058                               v30 = icmp ule v29, v24
;;! @0058                               v31 = iconst.i8 1
;;! @0058                               v32 = splat.i8x16 v31  ; v31 = 1
;;! @0058                               brif v30, block8(v16, v21), block3(v16)
;;!
;;!                                 block8(v17: i32, v18: i64):
;;! @0058                               v33 = iadd.i32 v1, v17
;;! @0058                               v34 = uextend.i64 v33
;;! @0058                               v35 = iadd.i64 v0, v34
;;! @0058                               store.i8x16 little region0 v32, v35
;;! @0058                               v36 = iconst.i32 16
;;! @0058                               v37 = iadd v17, v36  ; v36 = 16
;;! @0058                               v38 = iconst.i64 -16
;;! @0058                               v39 = iadd v18, v38  ; v38 = -16
;;! @0058                               v40 = iconst.i64 16
;;! @0058                               v41 = icmp sge v39, v40  ; v40 = 16
;;! @0058                               brif v41, block8(v37, v39), block3(v37)
;;!
;;!                                 block3(v4: i32):
;;! @004e                               v6 = icmp eq v4, v5
;;! @004e                               v7 = uextend.i32 v6
;;! @004f                               brif v7, block2, block5
;;!
;;!                                 block5:
;;! @0055                               v9 = iadd.i32 v8, v4
;;! @0056                               v10 = iconst.i32 1
;;! @0058                               v11 = ireduce.i8 v10  ; v10 = 1
;;! @0058                               v12 = uextend.i64 v9
;;! @0058                               v13 = iadd.i64 v0, v12
;;! @0058                               store little region0 v11, v13
;;! @005d                               v14 = iconst.i32 1
;;! @005f                               v15 = iadd.i32 v4, v14  ; v14 = 1
;;! @0062                               jump block3(v15)
;;!
;;!                                 block2:
;;! @0066                               jump block1
;;!
;;!                                 block1:
;;! @0066                               return
;;! }
