;; test: clif
;; The loop gets a guard that looks at shifts and at the word before, and a wide loop.
(module (memory 1)
  (func $copy (param $p i32) (param $q i32) (param $end i32) (param $right i32)
    (local $left i32) (local $kept i32)
    (local.set $left (i32.and (i32.sub (i32.const 0) (local.get $right)) (i32.const 24)))
    (local.set $kept (i32.load (local.get $q)))
    (loop
      (i32.store (local.get $p)
        (i32.or
          (i32.shr_u (local.get $kept) (local.get $right))
          (i32.shl
            (local.tee $kept (i32.load (local.tee $q (i32.add (local.get $q) (i32.const 4)))))
            (local.get $left))))
      (br_if 0 (i32.lt_u
        (local.tee $p (i32.add (local.get $p) (i32.const 4)))
        (local.get $end))))))
;;! ;; function 0 copy: (i32, i32, i32, i32) -> (), Wasm 0x1f..0x5d
;;! function u0:0(i64, i32, i32, i32, i32) system_v {
;;!     region0 = 0 "memory"
;;!
;;!                                 block0(v0: i64, v1: i32, v2: i32, v3: i32, v4: i32):
;;!                                     v30 -> v3
;;!                                     v15 -> v4
;;!                                     v5 = iconst.i32 0
;;! @0022                               v6 = iconst.i32 0
;;! @0026                               v7 = isub v6, v4  ; v6 = 0
;;! @0027                               v8 = iconst.i32 24
;;! @0029                               v9 = band v7, v8  ; v8 = 24
;;!                                     v23 -> v9
;;! @002e                               v10 = uextend.i64 v2
;;! @002e                               v11 = iadd v0, v10
;;! @002e                               v12 = load.i32 little region0 v11
;;! @0033                               jump block5(v1, v12, v2)
;;!
;;!                                 block5(v33: i32, v34: i32, v35: i32):
;;! @004c                               v40 = iconst.i32 4
;;! @004c                               v41 = iadd v33, v40  ; v40 = 4
;;! @004c                               v42 = uextend.i64 v41
;;! @004c                               v43 = uextend.i64 v3
;;! @004c                               v44 = isub v43, v42
;;! @004c                               v45 = iconst.i64 16
;;! @004c                               v46 = icmp sge v44, v45  ; v45 = 16
;;! @004c                               brif v46, block6, block2(v33, v34, v35)
;;!
;;!                                 block6:
;;! @004c                               v47 = load.i64 notrap aligned v0-96
;;! @004c                               v48 = uextend.i64 v33
;;! @004c                               v49 = iadd v48, v44
;;! @004c                               v50 = iconst.i64 0
;;! @004c                               v51 = iadd v49, v50  ; v50 = 0
;;! @004c                               v52 = icmp ule v51, v47
;;! @004c                               v53 = iconst.i32 4
;;! @004c                               v54 = iadd.i32 v35, v53  ; v53 = 4
;;! @004c                               v55 = uextend.i64 v54
;;! @004c                               v56 = iadd v55, v44
;;! @004c                               v57 = iconst.i64 0
;;! @004c                               v58 = iadd v56, v57  ; v57 = 0
;;! @004c                               v59 = icmp ule v58, v47
;;! @004c                               v60 = band v52, v59
;;! @004c                               v61 = iconst.i64 -4
;;! @004c                               v62 = iadd v55, v61  ; v61 = -4
;;! @004c                               v63 = iconst.i64 0
;;! @004c                               v64 = icmp sge v62, v63  ; v63 = 0
;;! @004c                               v65 = uextend.i64 v4
;;! @004c                               v66 = iconst.i64 31
;;! @004c                               v67 = band v65, v66  ; v66 = 31
;;! @004c                               v68 = uextend.i64 v9
;;! @004c                               v69 = iconst.i64 31
;;! @004c                               v70 = band v68, v69  ; v69 = 31
;;! @004c                               v71 = iadd v67, v70
;;! @004c                               v72 = iconst.i64 32
;;! @004c                               v73 = icmp eq v71, v72  ; v72 = 32
;;! @004c                               v74 = iconst.i64 7
;;! @004c                               v75 = band v67, v74  ; v74 = 7
;;! @004c                               v76 = iconst.i64 0
;;! @004c                               v77 = icmp eq v75, v76  ; v76 = 0
;;! @004c                               v78 = band v73, v77
;;! @004c                               v79 = iconst.i64 3
;;! @004c                               v80 = ushr v67, v79  ; v79 = 3
;;! @004c                               v81 = band v60, v64
;;! @004c                               v82 = band v81, v78
;;! @004c                               v83 = iadd v55, v80
;;! @004c                               v84 = isub v48, v83
;;! @004c                               v85 = iconst.i64 23
;;! @004c                               v86 = iadd v84, v85  ; v85 = 23
;;! @004c                               v87 = iconst.i64 38
;;! @004c                               v88 = icmp ugt v86, v87  ; v87 = 38
;;! @004c                               v89 = band v82, v88
;;! @004c                               brif v89, block8, block2(v33, v34, v35)
;;!
;;!                                 block8:
;;! @004c                               v90 = iconst.i32 4
;;! @004c                               v91 = iadd.i32 v35, v90  ; v90 = 4
;;! @004c                               v92 = uextend.i64 v91
;;! @004c                               v93 = iadd.i64 v0, v92
;;! @004c                               v94 = load.i32 little region0 v93-4
;;! @004c                               v95 = ushr.i32 v34, v4
;;! @004c                               v96 = ushr v94, v4
;;! @004c                               v97 = icmp eq v95, v96
;;! @004c                               brif v97, block7(v33, v34, v35, v44), block2(v33, v34, v35)
;;!
;;!                                 block7(v36: i32, v37: i32, v38: i32, v39: i64):
;;! @004c                               v98 = uextend.i64 v36
;;! @004c                               v99 = iadd.i64 v0, v98
;;! @004c                               v100 = iconst.i32 4
;;! @004c                               v101 = iadd v38, v100  ; v100 = 4
;;! @004c                               v102 = uextend.i64 v101
;;! @004c                               v103 = iadd.i64 v0, v102
;;! @004c                               v104 = iadd v103, v80
;;! @004c                               v105 = load.i8x16 little region0 v104-4
;;! @004c                               store little region0 v105, v99
;;! @004c                               v106 = iconst.i32 16
;;! @004c                               v107 = iadd v36, v106  ; v106 = 16
;;! @004c                               v108 = iconst.i32 16
;;! @004c                               v109 = iadd v38, v108  ; v108 = 16
;;! @004c                               v110 = iconst.i32 4
;;! @004c                               v111 = iadd v38, v110  ; v110 = 4
;;! @004c                               v112 = uextend.i64 v111
;;! @004c                               v113 = iadd.i64 v0, v112
;;! @004c                               v114 = load.i32 little region0 v113+12
;;! @004c                               v115 = iconst.i64 -16
;;! @004c                               v116 = iadd v39, v115  ; v115 = -16
;;! @004c                               v117 = iconst.i64 16
;;! @004c                               v118 = icmp sge v116, v117  ; v117 = 16
;;! @004c                               brif v118, block7(v107, v114, v109, v116), block2(v107, v114, v109)
;;!
;;!                                 block2(v13: i32, v14: i32, v17: i32):
;;! @003b                               v16 = ushr v14, v15
;;! @003e                               v18 = iconst.i32 4
;;! @0040                               v19 = iadd v17, v18  ; v18 = 4
;;! @0043                               v20 = uextend.i64 v19
;;! @0043                               v21 = iadd.i64 v0, v20
;;! @0043                               v22 = load.i32 little region0 v21
;;! @004a                               v24 = ishl v22, v23
;;! @004b                               v25 = bor v16, v24
;;! @004c                               v26 = uextend.i64 v13
;;! @004c                               v27 = iadd.i64 v0, v26
;;! @004c                               store little region0 v25, v27
;;! @0051                               v28 = iconst.i32 4
;;! @0053                               v29 = iadd v13, v28  ; v28 = 4
;;! @0058                               v31 = icmp ult v29, v30
;;! @0058                               v32 = uextend.i32 v31
;;! @0059                               brif v32, block2(v29, v22, v19), block4
;;!
;;!                                 block4:
;;! @005b                               jump block3
;;!
;;!                                 block3:
;;! @005c                               jump block1
;;!
;;!                                 block1:
;;! @005c                               return
;;! }
