;; test: clif
(module (memory 1) (global $stack (mut i32) (i32.const 1024))
  ;; By the byte: whatever the addresses, up to 64 bytes.
  (func $bytes (param $to i32) (param $from i32) (param $len i32) (result i32) (local $at i32)
    (block $done
      (loop $again
        (br_if $done (i32.eq (local.get $at) (local.get $len)))
        (i32.store8 (i32.add (local.get $to) (local.get $at))
          (i32.load8_u (i32.add (local.get $from) (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $again)))
    (local.get $to))
  ;; It remembers on its stack where it was, from the fifth byte on: no copy then.
  (func $notes (param $to i32) (param $from i32) (param $len i32) (result i32) (local $at i32)
    (block $done
      (loop $again
        (br_if $done (i32.eq (local.get $at) (local.get $len)))
        (i32.store8 (i32.add (local.get $to) (local.get $at))
          (i32.load8_u (i32.add (local.get $from) (local.get $at))))
        (if (i32.eq (local.get $at) (i32.const 4))
          (then (i32.store (i32.sub (global.get $stack) (i32.const 16)) (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $again)))
    (local.get $to))
  ;; It returns the end.
  (func $end (param $to i32) (param $from i32) (param $len i32) (result i32) (local $at i32)
    (loop $again
      (if (i32.lt_u (local.get $at) (local.get $len))
        (then
          (i32.store8 (i32.add (local.get $to) (local.get $at))
            (i32.load8_u (i32.add (local.get $from) (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $again))))
    (i32.add (local.get $to) (local.get $len))))
;;! ;; function 0 bytes: (i32, i32, i32) -> i32, Wasm 0x2b..0x57
;;! function u0:0(i64, i32, i32, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!     region1 = 0 "memory"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;;!                                     v71 -> v1
;;!                                     v73 -> v2
;;!                                     v68 -> v3
;;! @002b                               v4 = iconst.i32 -1
;;! @002b                               v5 = iadd v3, v4  ; v4 = -1
;;! @002b                               v6 = iconst.i32 64
;;! @002b                               v7 = icmp ult v5, v6  ; v6 = 64
;;! @002b                               brif v7, block1, block3
;;!
;;!                                 block1:
;;! @002b                               v8 = load.i64 notrap aligned region0 v0-96
;;! @002b                               v9 = iconst.i64 -97
;;! @002b                               v10 = iadd v8, v9  ; v9 = -97
;;! @002b                               v11 = uextend.i64 v1
;;! @002b                               v12 = iconst.i64 -16
;;! @002b                               v13 = iadd v11, v12  ; v12 = -16
;;! @002b                               v14 = icmp ult v13, v10
;;! @002b                               v15 = uextend.i64 v2
;;! @002b                               v16 = iconst.i64 -16
;;! @002b                               v17 = iadd v15, v16  ; v16 = -16
;;! @002b                               v18 = icmp ult v17, v10
;;! @002b                               v19 = isub.i32 v1, v2
;;! @002b                               v20 = isub v19, v3
;;! @002b                               v21 = iconst.i32 1
;;! @002b                               v22 = ishl.i32 v3, v21  ; v21 = 1
;;! @002b                               v23 = ineg v22
;;! @002b                               v24 = icmp ule v20, v23
;;! @002b                               v25 = band v14, v18
;;! @002b                               v26 = band v25, v24
;;! @002b                               brif v26, block2, block3
;;!
;;!                                 block2:
;;! @002b                               v27 = uextend.i64 v1
;;! @002b                               v28 = iadd.i64 v0, v27
;;! @002b                               v29 = uextend.i64 v2
;;! @002b                               v30 = iadd.i64 v0, v29
;;! @002b                               v31 = uextend.i64 v3
;;! @002b                               v32 = iconst.i32 33
;;! @002b                               v33 = icmp.i32 uge v3, v32  ; v32 = 33
;;! @002b                               brif v33, block4, block5
;;!
;;!                                 block4:
;;! @002b                               v34 = iadd.i64 v28, v31
;;! @002b                               v35 = iadd.i64 v30, v31
;;! @002b                               v36 = load.i8x16 little region1 v30
;;! @002b                               v37 = load.i8x16 little region1 v30+16
;;! @002b                               v38 = load.i8x16 little region1 v35-16
;;! @002b                               v39 = load.i8x16 little region1 v35-32
;;! @002b                               store little region1 v36, v28
;;! @002b                               store little region1 v37, v28+16
;;! @002b                               store little region1 v38, v34-16
;;! @002b                               store little region1 v39, v34-32
;;! @002b                               return v1
;;!
;;!                                 block5:
;;! @002b                               v40 = iconst.i32 16
;;! @002b                               v41 = icmp.i32 uge v3, v40  ; v40 = 16
;;! @002b                               brif v41, block6, block7
;;!
;;!                                 block6:
;;! @002b                               v42 = iadd.i64 v28, v31
;;! @002b                               v43 = iadd.i64 v30, v31
;;! @002b                               v44 = load.i8x16 little region1 v30
;;! @002b                               v45 = load.i8x16 little region1 v43-16
;;! @002b                               store little region1 v44, v28
;;! @002b                               store little region1 v45, v42-16
;;! @002b                               return v1
;;!
;;!                                 block7:
;;! @002b                               v46 = iconst.i32 8
;;! @002b                               v47 = icmp.i32 uge v3, v46  ; v46 = 8
;;! @002b                               brif v47, block8, block9
;;!
;;!                                 block8:
;;! @002b                               v48 = iadd.i64 v28, v31
;;! @002b                               v49 = iadd.i64 v30, v31
;;! @002b                               v50 = load.i64 little region1 v30
;;! @002b                               v51 = load.i64 little region1 v49-8
;;! @002b                               store little region1 v50, v28
;;! @002b                               store little region1 v51, v48-8
;;! @002b                               return v1
;;!
;;!                                 block9:
;;! @002b                               v52 = iconst.i32 4
;;! @002b                               v53 = icmp.i32 uge v3, v52  ; v52 = 4
;;! @002b                               brif v53, block10, block11
;;!
;;!                                 block10:
;;! @002b                               v54 = iadd.i64 v28, v31
;;! @002b                               v55 = iadd.i64 v30, v31
;;! @002b                               v56 = load.i32 little region1 v30
;;! @002b                               v57 = load.i32 little region1 v55-4
;;! @002b                               store little region1 v56, v28
;;! @002b                               store little region1 v57, v54-4
;;! @002b                               return v1
;;!
;;!                                 block11:
;;! @002b                               v58 = iconst.i32 2
;;! @002b                               v59 = icmp.i32 uge v3, v58  ; v58 = 2
;;! @002b                               brif v59, block12, block13
;;!
;;!                                 block12:
;;! @002b                               v60 = iadd.i64 v28, v31
;;! @002b                               v61 = iadd.i64 v30, v31
;;! @002b                               v62 = load.i16 little region1 v30
;;! @002b                               v63 = load.i16 little region1 v61-2
;;! @002b                               store little region1 v62, v28
;;! @002b                               store little region1 v63, v60-2
;;! @002b                               return v1
;;!
;;!                                 block13:
;;! @002b                               v64 = load.i8 little region1 v30
;;! @002b                               store little region1 v64, v28
;;! @002b                               return v1
;;!
;;!                                 block3:
;;! @002b                               v65 = iconst.i32 0
;;! @0030                               jump block19(v65)  ; v65 = 0
;;!
;;!                                 block19(v83: i32):
;;! @0046                               v86 = uextend.i64 v83
;;! @0046                               v87 = uextend.i64 v3
;;! @0046                               v88 = isub v87, v86
;;! @0046                               v89 = iconst.i64 16
;;! @0046                               v90 = icmp sge v88, v89  ; v89 = 16
;;! @0046                               brif v90, block20, block16(v83)
;;!
;;!                                 block20:
;;! @0046                               v91 = load.i64 notrap aligned v0-96
;;! @0046                               v92 = iadd.i32 v1, v83
;;! @0046                               v93 = uextend.i64 v92
;;! @0046                               v94 = iadd v93, v88
;;! @0046                               v95 = iconst.i64 0
;;! @0046                               v96 = iadd v94, v95  ; v95 = 0
;;! @0046                               v97 = icmp ule v96, v91
;;! @0046                               v98 = iadd.i32 v2, v83
;;! @0046                               v99 = uextend.i64 v98
;;! @0046                               v100 = iadd v99, v88
;;! @0046                               v101 = iconst.i64 0
;;! @0046                               v102 = iadd v100, v101  ; v101 = 0
;;! @0046                               v103 = icmp ule v102, v91
;;! @0046                               v104 = band v97, v103
;;! @0046                               v105 = isub v93, v99
;;! @0046                               v106 = iconst.i64 15
;;! @0046                               v107 = iadd v105, v106  ; v106 = 15
;;! @0046                               v108 = iconst.i64 30
;;! @0046                               v109 = icmp ugt v107, v108  ; v108 = 30
;;! @0046                               v110 = band v104, v109
;;! @0046                               brif v110, block21(v83, v88), block16(v83)
;;!
;;!                                 block21(v84: i32, v85: i64):
;;! @0046                               v111 = iadd.i32 v1, v84
;;! @0046                               v112 = uextend.i64 v111
;;! @0046                               v113 = iadd.i64 v0, v112
;;! @0046                               v114 = iadd.i32 v2, v84
;;! @0046                               v115 = uextend.i64 v114
;;! @0046                               v116 = iadd.i64 v0, v115
;;! @0046                               v117 = load.i8x16 little region1 v116
;;! @0046                               store little region1 v117, v113
;;! @0046                               v118 = iconst.i32 16
;;! @0046                               v119 = iadd v84, v118  ; v118 = 16
;;! @0046                               v120 = iconst.i64 -16
;;! @0046                               v121 = iadd v85, v120  ; v120 = -16
;;! @0046                               v122 = iconst.i64 16
;;! @0046                               v123 = icmp sge v121, v122  ; v122 = 16
;;! @0046                               brif v123, block21(v119, v121), block16(v119)
;;!
;;!                                 block16(v67: i32):
;;! @0036                               v69 = icmp eq v67, v68
;;! @0036                               v70 = uextend.i32 v69
;;! @0037                               brif v70, block15, block18
;;!
;;!                                 block18:
;;! @003d                               v72 = iadd.i32 v71, v67
;;! @0042                               v74 = iadd.i32 v73, v67
;;! @0043                               v75 = uextend.i64 v74
;;! @0043                               v76 = iadd.i64 v0, v75
;;! @0043                               v77 = uload8.i32 little region1 v76
;;! @0046                               v78 = ireduce.i8 v77
;;! @0046                               v79 = uextend.i64 v72
;;! @0046                               v80 = iadd.i64 v0, v79
;;! @0046                               store little region1 v78, v80
;;! @004b                               v81 = iconst.i32 1
;;! @004d                               v82 = iadd.i32 v67, v81  ; v81 = 1
;;! @0050                               jump block16(v82)
;;!
;;!                                 block15:
;;! @0056                               jump block14(v71)
;;!
;;!                                 block14(v66: i32):
;;! @0056                               return v66
;;! }
;;!
;;! ;; function 1 notes: (i32, i32, i32) -> i32, Wasm 0x58..0x96
;;! function u0:1(i64, i32, i32, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!     region1 = 0 "memory"
;;!     region2 = 3 "global"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;;!                                     v51 -> v1
;;!                                     v73 -> v51
;;!                                     v53 -> v2
;;!                                     v74 -> v53
;;!                                     v48 -> v3
;;!                                     v72 -> v48
;;! @0058                               v4 = iconst.i32 -1
;;! @0058                               v5 = iadd v3, v4  ; v4 = -1
;;! @0058                               v6 = iconst.i32 4
;;! @0058                               v7 = icmp ult v5, v6  ; v6 = 4
;;! @0058                               brif v7, block1, block3
;;!
;;!                                 block1:
;;! @0058                               v8 = load.i64 notrap aligned region0 v0-96
;;! @0058                               v9 = iconst.i64 -97
;;! @0058                               v10 = iadd v8, v9  ; v9 = -97
;;! @0058                               v11 = uextend.i64 v1
;;! @0058                               v12 = iconst.i64 -16
;;! @0058                               v13 = iadd v11, v12  ; v12 = -16
;;! @0058                               v14 = icmp ult v13, v10
;;! @0058                               v15 = uextend.i64 v2
;;! @0058                               v16 = iconst.i64 -16
;;! @0058                               v17 = iadd v15, v16  ; v16 = -16
;;! @0058                               v18 = icmp ult v17, v10
;;! @0058                               v19 = isub.i32 v1, v2
;;! @0058                               v20 = isub v19, v3
;;! @0058                               v21 = iconst.i32 1
;;! @0058                               v22 = ishl.i32 v3, v21  ; v21 = 1
;;! @0058                               v23 = ineg v22
;;! @0058                               v24 = icmp ule v20, v23
;;! @0058                               v25 = band v14, v18
;;! @0058                               v26 = band v25, v24
;;! @0058                               brif v26, block2, block3
;;!
;;!                                 block2:
;;! @0058                               v27 = uextend.i64 v1
;;! @0058                               v28 = iadd.i64 v0, v27
;;! @0058                               v29 = uextend.i64 v2
;;! @0058                               v30 = iadd.i64 v0, v29
;;! @0058                               v31 = uextend.i64 v3
;;! @0058                               v32 = iconst.i32 4
;;! @0058                               v33 = icmp.i32 uge v3, v32  ; v32 = 4
;;! @0058                               brif v33, block4, block5
;;!
;;!                                 block4:
;;! @0058                               v34 = iadd.i64 v28, v31
;;! @0058                               v35 = iadd.i64 v30, v31
;;! @0058                               v36 = load.i32 little region1 v30
;;! @0058                               v37 = load.i32 little region1 v35-4
;;! @0058                               store little region1 v36, v28
;;! @0058                               store little region1 v37, v34-4
;;! @0058                               return v1
;;!
;;!                                 block5:
;;! @0058                               v38 = iconst.i32 2
;;! @0058                               v39 = icmp.i32 uge v3, v38  ; v38 = 2
;;! @0058                               brif v39, block6, block7
;;!
;;!                                 block6:
;;! @0058                               v40 = iadd.i64 v28, v31
;;! @0058                               v41 = iadd.i64 v30, v31
;;! @0058                               v42 = load.i16 little region1 v30
;;! @0058                               v43 = load.i16 little region1 v41-2
;;! @0058                               store little region1 v42, v28
;;! @0058                               store little region1 v43, v40-2
;;! @0058                               return v1
;;!
;;!                                 block7:
;;! @0058                               v44 = load.i8 little region1 v30
;;! @0058                               store little region1 v44, v28
;;! @0058                               return v1
;;!
;;!                                 block3:
;;! @0058                               v45 = iconst.i32 0
;;! @005d                               jump block10(v45)  ; v45 = 0
;;!
;;!                                 block10(v47: i32):
;;!                                     v69 -> v47
;;! @0063                               v49 = icmp eq v47, v48
;;! @0063                               v50 = uextend.i32 v49
;;! @0064                               brif v50, block9, block12
;;!
;;!                                 block12:
;;! @006a                               v52 = iadd.i32 v51, v47
;;! @006f                               v54 = iadd.i32 v53, v47
;;! @0070                               v55 = uextend.i64 v54
;;! @0070                               v56 = iadd.i64 v0, v55
;;! @0070                               v57 = uload8.i32 little region1 v56
;;! @0073                               v58 = ireduce.i8 v57
;;! @0073                               v59 = uextend.i64 v52
;;! @0073                               v60 = iadd.i64 v0, v59
;;! @0073                               store little region1 v58, v60
;;! @0078                               v61 = iconst.i32 4
;;! @007a                               v62 = icmp.i32 eq v47, v61  ; v61 = 4
;;! @007a                               v63 = uextend.i32 v62
;;! @007b                               brif v63, block14, block15
;;!
;;!                                 block14:
;;! @007d                               v64 = load.i32 notrap aligned region2 v0-8
;;! @007f                               v65 = iconst.i32 16
;;! @0081                               v66 = isub v64, v65  ; v65 = 16
;;! @0084                               v67 = uextend.i64 v66
;;! @0084                               v68 = iadd.i64 v0, v67
;;! @0084                               store.i32 little region1 v47, v68
;;! @0087                               jump block13
;;!
;;!                                 block15:
;;! @0087                               jump block13
;;!
;;!                                 block13:
;;! @008a                               v70 = iconst.i32 1
;;! @008c                               v71 = iadd.i32 v47, v70  ; v70 = 1
;;! @008f                               jump block10(v71)
;;!
;;!                                 block9:
;;! @0095                               jump block8(v51)
;;!
;;!                                 block8(v46: i32):
;;! @0095                               return v46
;;! }
;;!
;;! ;; function 2 end: (i32, i32, i32) -> i32, Wasm 0x97..0xc4
;;! function u0:2(i64, i32, i32, i32) -> i32 system_v {
;;!     region0 = 0 "memory"
;;!     region1 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;;!                                     v10 -> v1
;;!                                     v12 -> v2
;;!                                     v7 -> v3
;;!                                     v4 = iconst.i32 0
;;! @009a                               jump block7(v4)  ; v4 = 0
;;!
;;!                                 block7(v23: i32):
;;! @00b0                               v26 = uextend.i64 v23
;;! @00b0                               v27 = uextend.i64 v3
;;! @00b0                               v28 = isub v27, v26
;;! @00b0                               v29 = iconst.i64 16
;;! @00b0                               v30 = icmp sge v28, v29  ; v29 = 16
;;! @00b0                               brif v30, block8, block2(v23)
;;!
;;!                                 block8:
;;! @00b0                               v31 = load.i64 notrap aligned v0-96
;;! @00b0                               v32 = iadd.i32 v1, v23
;;! @00b0                               v33 = uextend.i64 v32
;;! @00b0                               v34 = iadd v33, v28
;;! @00b0                               v35 = iconst.i64 0
;;! @00b0                               v36 = iadd v34, v35  ; v35 = 0
;;! @00b0                               v37 = icmp ule v36, v31
;;! @00b0                               v38 = iadd.i32 v2, v23
;;! @00b0                               v39 = uextend.i64 v38
;;! @00b0                               v40 = iadd v39, v28
;;! @00b0                               v41 = iconst.i64 0
;;! @00b0                               v42 = iadd v40, v41  ; v41 = 0
;;! @00b0                               v43 = icmp ule v42, v31
;;! @00b0                               v44 = band v37, v43
;;! @00b0                               v45 = isub v33, v39
;;! @00b0                               v46 = iconst.i64 15
;;! @00b0                               v47 = iadd v45, v46  ; v46 = 15
;;! @00b0                               v48 = iconst.i64 30
;;! @00b0                               v49 = icmp ugt v47, v48  ; v48 = 30
;;! @00b0                               v50 = band v44, v49
;;! @00b0                               brif v50, block9(v23, v28), block2(v23)
;;!
;;!                                 block9(v24: i32, v25: i64):
;;! @00b0                               v51 = iadd.i32 v1, v24
;;! @00b0                               v52 = uextend.i64 v51
;;! @00b0                               v53 = iadd.i64 v0, v52
;;! @00b0                               v54 = iadd.i32 v2, v24
;;! @00b0                               v55 = uextend.i64 v54
;;! @00b0                               v56 = iadd.i64 v0, v55
;;! @00b0                               v57 = load.i8x16 little region0 v56
;;! @00b0                               store little region0 v57, v53
;;! @00b0                               v58 = iconst.i32 16
;;! @00b0                               v59 = iadd v24, v58  ; v58 = 16
;;! @00b0                               v60 = iconst.i64 -16
;;! @00b0                               v61 = iadd v25, v60  ; v60 = -16
;;! @00b0                               v62 = iconst.i64 16
;;! @00b0                               v63 = icmp sge v61, v62  ; v62 = 16
;;! @00b0                               brif v63, block9(v59, v61), block2(v59)
;;!
;;!                                 block2(v6: i32):
;;! @00a0                               v8 = icmp ult v6, v7
;;! @00a0                               v9 = uextend.i32 v8
;;! @00a1                               brif v9, block5, block6
;;!
;;!                                 block5:
;;! @00a7                               v11 = iadd.i32 v10, v6
;;! @00ac                               v13 = iadd.i32 v12, v6
;;! @00ad                               v14 = uextend.i64 v13
;;! @00ad                               v15 = iadd.i64 v0, v14
;;! @00ad                               v16 = uload8.i32 little region0 v15
;;! @00b0                               v17 = ireduce.i8 v16
;;! @00b0                               v18 = uextend.i64 v11
;;! @00b0                               v19 = iadd.i64 v0, v18
;;! @00b0                               store little region0 v17, v19
;;! @00b5                               v20 = iconst.i32 1
;;! @00b7                               v21 = iadd.i32 v6, v20  ; v20 = 1
;;! @00ba                               jump block2(v21)
;;!
;;!                                 block6:
;;! @00bc                               jump block4
;;!
;;!                                 block4:
;;! @00bd                               jump block3
;;!
;;!                                 block3:
;;! @00c2                               v22 = iadd.i32 v10, v7
;;! @00c3                               jump block1(v22)
;;!
;;!                                 block1(v5: i32):
;;! @00c3                               return v5
;;! }
