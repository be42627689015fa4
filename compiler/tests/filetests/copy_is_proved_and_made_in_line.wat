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
;;!                                     v74 -> v1
;;!                                     v76 -> v2
;;!                                     v71 -> v3
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
;;! @002b                               v15 = load.i64 notrap aligned region0 v0-96
;;! @002b                               v16 = iconst.i64 -97
;;! @002b                               v17 = iadd v15, v16  ; v16 = -97
;;! @002b                               v18 = uextend.i64 v2
;;! @002b                               v19 = iconst.i64 -16
;;! @002b                               v20 = iadd v18, v19  ; v19 = -16
;;! @002b                               v21 = icmp ult v20, v17
;;! @002b                               v22 = isub.i32 v1, v2
;;! @002b                               v23 = isub v22, v3
;;! @002b                               v24 = iconst.i32 1
;;! @002b                               v25 = ishl.i32 v3, v24  ; v24 = 1
;;! @002b                               v26 = ineg v25
;;! @002b                               v27 = icmp ule v23, v26
;;! @002b                               v28 = band v14, v21
;;! @002b                               v29 = band v28, v27
;;! @002b                               brif v29, block2, block3
;;!
;;!                                 block2:
;;! @002b                               v30 = uextend.i64 v1
;;! @002b                               v31 = iadd.i64 v0, v30
;;! @002b                               v32 = uextend.i64 v2
;;! @002b                               v33 = iadd.i64 v0, v32
;;! @002b                               v34 = uextend.i64 v3
;;! @002b                               v35 = iconst.i32 33
;;! @002b                               v36 = icmp.i32 uge v3, v35  ; v35 = 33
;;! @002b                               brif v36, block5, block6
;;!
;;!                                 block5:
;;! @002b                               v37 = iadd.i64 v31, v34
;;! @002b                               v38 = iadd.i64 v33, v34
;;! @002b                               v39 = load.i8x16 little region1 v33
;;! @002b                               v40 = load.i8x16 little region1 v33+16
;;! @002b                               v41 = load.i8x16 little region1 v38-16
;;! @002b                               v42 = load.i8x16 little region1 v38-32
;;! @002b                               store little region1 v39, v31
;;! @002b                               store little region1 v40, v31+16
;;! @002b                               store little region1 v41, v37-16
;;! @002b                               store little region1 v42, v37-32
;;! @002b                               jump block4
;;!
;;!                                 block6:
;;! @002b                               v43 = iconst.i32 16
;;! @002b                               v44 = icmp.i32 uge v3, v43  ; v43 = 16
;;! @002b                               brif v44, block7, block8
;;!
;;!                                 block7:
;;! @002b                               v45 = iadd.i64 v31, v34
;;! @002b                               v46 = iadd.i64 v33, v34
;;! @002b                               v47 = load.i8x16 little region1 v33
;;! @002b                               v48 = load.i8x16 little region1 v46-16
;;! @002b                               store little region1 v47, v31
;;! @002b                               store little region1 v48, v45-16
;;! @002b                               jump block4
;;!
;;!                                 block8:
;;! @002b                               v49 = iconst.i32 8
;;! @002b                               v50 = icmp.i32 uge v3, v49  ; v49 = 8
;;! @002b                               brif v50, block9, block10
;;!
;;!                                 block9:
;;! @002b                               v51 = iadd.i64 v31, v34
;;! @002b                               v52 = iadd.i64 v33, v34
;;! @002b                               v53 = load.i64 little region1 v33
;;! @002b                               v54 = load.i64 little region1 v52-8
;;! @002b                               store little region1 v53, v31
;;! @002b                               store little region1 v54, v51-8
;;! @002b                               jump block4
;;!
;;!                                 block10:
;;! @002b                               v55 = iconst.i32 4
;;! @002b                               v56 = icmp.i32 uge v3, v55  ; v55 = 4
;;! @002b                               brif v56, block11, block12
;;!
;;!                                 block11:
;;! @002b                               v57 = iadd.i64 v31, v34
;;! @002b                               v58 = iadd.i64 v33, v34
;;! @002b                               v59 = load.i32 little region1 v33
;;! @002b                               v60 = load.i32 little region1 v58-4
;;! @002b                               store little region1 v59, v31
;;! @002b                               store little region1 v60, v57-4
;;! @002b                               jump block4
;;!
;;!                                 block12:
;;! @002b                               v61 = iconst.i32 2
;;! @002b                               v62 = icmp.i32 uge v3, v61  ; v61 = 2
;;! @002b                               brif v62, block13, block14
;;!
;;!                                 block13:
;;! @002b                               v63 = iadd.i64 v31, v34
;;! @002b                               v64 = iadd.i64 v33, v34
;;! @002b                               v65 = load.i16 little region1 v33
;;! @002b                               v66 = load.i16 little region1 v64-2
;;! @002b                               store little region1 v65, v31
;;! @002b                               store little region1 v66, v63-2
;;! @002b                               jump block4
;;!
;;!                                 block14:
;;! @002b                               v67 = load.i8 little region1 v33
;;! @002b                               store little region1 v67, v31
;;! @002b                               jump block4
;;!
;;!                                 block4:
;;! @002b                               return v1
;;!
;;!                                 block3:
;;! @002b                               v68 = iconst.i32 0
;;! @0030                               jump block20(v68)  ; v68 = 0
;;!
;;!                                 block20(v86: i32):
;;! @0046                               v89 = uextend.i64 v86
;;! @0046                               v90 = uextend.i64 v3
;;! @0046                               v91 = isub v90, v89
;;! @0046                               v92 = iconst.i64 16
;;! @0046                               v93 = icmp sge v91, v92  ; v92 = 16
;;! @0046                               brif v93, block21, block17(v86)
;;!
;;!                                 block21:
;;! @0046                               v94 = load.i64 notrap aligned v0-96
;;! @0046                               v95 = iadd.i32 v1, v86
;;! @0046                               v96 = uextend.i64 v95
;;! @0046                               v97 = iadd v96, v91
;;! @0046                               v98 = iconst.i64 0
;;! @0046                               v99 = iadd v97, v98  ; v98 = 0
;;! @0046                               v100 = icmp ule v99, v94
;;! @0046                               v101 = iadd.i32 v2, v86
;;! @0046                               v102 = uextend.i64 v101
;;! @0046                               v103 = iadd v102, v91
;;! @0046                               v104 = iconst.i64 0
;;! @0046                               v105 = iadd v103, v104  ; v104 = 0
;;! @0046                               v106 = icmp ule v105, v94
;;! @0046                               v107 = band v100, v106
;;! @0046                               v108 = isub v96, v102
;;! @0046                               v109 = iconst.i64 15
;;! @0046                               v110 = iadd v108, v109  ; v109 = 15
;;! @0046                               v111 = iconst.i64 30
;;! @0046                               v112 = icmp ugt v110, v111  ; v111 = 30
;;! @0046                               v113 = band v107, v112
;;! @0046                               brif v113, block22(v86, v91), block17(v86)
;;!
;;!                                 block22(v87: i32, v88: i64):
;;! @0046                               v114 = iadd.i32 v1, v87
;;! @0046                               v115 = uextend.i64 v114
;;! @0046                               v116 = iadd.i64 v0, v115
;;! @0046                               v117 = iadd.i32 v2, v87
;;! @0046                               v118 = uextend.i64 v117
;;! @0046                               v119 = iadd.i64 v0, v118
;;! @0046                               v120 = load.i8x16 little region1 v119
;;! @0046                               store little region1 v120, v116
;;! @0046                               v121 = iconst.i32 16
;;! @0046                               v122 = iadd v87, v121  ; v121 = 16
;;! @0046                               v123 = iconst.i64 -16
;;! @0046                               v124 = iadd v88, v123  ; v123 = -16
;;! @0046                               v125 = iconst.i64 16
;;! @0046                               v126 = icmp sge v124, v125  ; v125 = 16
;;! @0046                               brif v126, block22(v122, v124), block17(v122)
;;!
;;!                                 block17(v70: i32):
;;! @0036                               v72 = icmp eq v70, v71
;;! @0036                               v73 = uextend.i32 v72
;;! @0037                               brif v73, block16, block19
;;!
;;!                                 block19:
;;! @003d                               v75 = iadd.i32 v74, v70
;;! @0042                               v77 = iadd.i32 v76, v70
;;! @0043                               v78 = uextend.i64 v77
;;! @0043                               v79 = iadd.i64 v0, v78
;;! @0043                               v80 = uload8.i32 little region1 v79
;;! @0046                               v81 = ireduce.i8 v80
;;! @0046                               v82 = uextend.i64 v75
;;! @0046                               v83 = iadd.i64 v0, v82
;;! @0046                               store little region1 v81, v83
;;! @004b                               v84 = iconst.i32 1
;;! @004d                               v85 = iadd.i32 v70, v84  ; v84 = 1
;;! @0050                               jump block17(v85)
;;!
;;!                                 block16:
;;! @0056                               jump block15(v74)
;;!
;;!                                 block15(v69: i32):
;;! @0056                               return v69
;;! }
;;!
;;! ;; function 1 notes: (i32, i32, i32) -> i32, Wasm 0x58..0x96
;;! function u0:1(i64, i32, i32, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!     region1 = 0 "memory"
;;!     region2 = 3 "global"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32, v3: i32):
;;!                                     v54 -> v1
;;!                                     v76 -> v54
;;!                                     v56 -> v2
;;!                                     v77 -> v56
;;!                                     v51 -> v3
;;!                                     v75 -> v51
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
;;! @0058                               v15 = load.i64 notrap aligned region0 v0-96
;;! @0058                               v16 = iconst.i64 -97
;;! @0058                               v17 = iadd v15, v16  ; v16 = -97
;;! @0058                               v18 = uextend.i64 v2
;;! @0058                               v19 = iconst.i64 -16
;;! @0058                               v20 = iadd v18, v19  ; v19 = -16
;;! @0058                               v21 = icmp ult v20, v17
;;! @0058                               v22 = isub.i32 v1, v2
;;! @0058                               v23 = isub v22, v3
;;! @0058                               v24 = iconst.i32 1
;;! @0058                               v25 = ishl.i32 v3, v24  ; v24 = 1
;;! @0058                               v26 = ineg v25
;;! @0058                               v27 = icmp ule v23, v26
;;! @0058                               v28 = band v14, v21
;;! @0058                               v29 = band v28, v27
;;! @0058                               brif v29, block2, block3
;;!
;;!                                 block2:
;;! @0058                               v30 = uextend.i64 v1
;;! @0058                               v31 = iadd.i64 v0, v30
;;! @0058                               v32 = uextend.i64 v2
;;! @0058                               v33 = iadd.i64 v0, v32
;;! @0058                               v34 = uextend.i64 v3
;;! @0058                               v35 = iconst.i32 4
;;! @0058                               v36 = icmp.i32 uge v3, v35  ; v35 = 4
;;! @0058                               brif v36, block5, block6
;;!
;;!                                 block5:
;;! @0058                               v37 = iadd.i64 v31, v34
;;! @0058                               v38 = iadd.i64 v33, v34
;;! @0058                               v39 = load.i32 little region1 v33
;;! @0058                               v40 = load.i32 little region1 v38-4
;;! @0058                               store little region1 v39, v31
;;! @0058                               store little region1 v40, v37-4
;;! @0058                               jump block4
;;!
;;!                                 block6:
;;! @0058                               v41 = iconst.i32 2
;;! @0058                               v42 = icmp.i32 uge v3, v41  ; v41 = 2
;;! @0058                               brif v42, block7, block8
;;!
;;!                                 block7:
;;! @0058                               v43 = iadd.i64 v31, v34
;;! @0058                               v44 = iadd.i64 v33, v34
;;! @0058                               v45 = load.i16 little region1 v33
;;! @0058                               v46 = load.i16 little region1 v44-2
;;! @0058                               store little region1 v45, v31
;;! @0058                               store little region1 v46, v43-2
;;! @0058                               jump block4
;;!
;;!                                 block8:
;;! @0058                               v47 = load.i8 little region1 v33
;;! @0058                               store little region1 v47, v31
;;! @0058                               jump block4
;;!
;;!                                 block4:
;;! @0058                               return v1
;;!
;;!                                 block3:
;;! @0058                               v48 = iconst.i32 0
;;! @005d                               jump block11(v48)  ; v48 = 0
;;!
;;!                                 block11(v50: i32):
;;!                                     v72 -> v50
;;! @0063                               v52 = icmp eq v50, v51
;;! @0063                               v53 = uextend.i32 v52
;;! @0064                               brif v53, block10, block13
;;!
;;!                                 block13:
;;! @006a                               v55 = iadd.i32 v54, v50
;;! @006f                               v57 = iadd.i32 v56, v50
;;! @0070                               v58 = uextend.i64 v57
;;! @0070                               v59 = iadd.i64 v0, v58
;;! @0070                               v60 = uload8.i32 little region1 v59
;;! @0073                               v61 = ireduce.i8 v60
;;! @0073                               v62 = uextend.i64 v55
;;! @0073                               v63 = iadd.i64 v0, v62
;;! @0073                               store little region1 v61, v63
;;! @0078                               v64 = iconst.i32 4
;;! @007a                               v65 = icmp.i32 eq v50, v64  ; v64 = 4
;;! @007a                               v66 = uextend.i32 v65
;;! @007b                               brif v66, block15, block16
;;!
;;!                                 block15:
;;! @007d                               v67 = load.i32 notrap aligned region2 v0-8
;;! @007f                               v68 = iconst.i32 16
;;! @0081                               v69 = isub v67, v68  ; v68 = 16
;;! @0084                               v70 = uextend.i64 v69
;;! @0084                               v71 = iadd.i64 v0, v70
;;! @0084                               store.i32 little region1 v50, v71
;;! @0087                               jump block14
;;!
;;!                                 block16:
;;! @0087                               jump block14
;;!
;;!                                 block14:
;;! @008a                               v73 = iconst.i32 1
;;! @008c                               v74 = iadd.i32 v50, v73  ; v73 = 1
;;! @008f                               jump block11(v74)
;;!
;;!                                 block10:
;;! @0095                               jump block9(v54)
;;!
;;!                                 block9(v49: i32):
;;! @0095                               return v49
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
