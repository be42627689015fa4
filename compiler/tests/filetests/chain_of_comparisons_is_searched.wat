;; test: clif
(module
  (import "env" "seen" (func $seen (param i32)))
  ;; As TinyGo calls through an interface: a type after the other, and a trap in the end. The ninth
  ;; constant is the first one again.
  (func (export "dispatch") (param $type i32)
    (block $done
      (if (i32.eq (local.get $type) (i32.const 70)) (then (call $seen (i32.const 1)) (br $done)))
      (if (i32.eq (local.get $type) (i32.const 10)) (then (call $seen (i32.const 2)) (br $done)))
      (if (i32.eq (local.get $type) (i32.const -1)) (then (call $seen (i32.const 3)) (br $done)))
      (br_if $done (i32.eq (local.get $type) (i32.const 40)))
      (if (i32.ne (local.get $type) (i32.const 20))
        (then
          (br_if $done (i32.eq (local.get $type) (i32.const 50)))
          (br_if $done (i32.eq (i32.const 60) (local.get $type)))
          (if (i32.eq (local.get $type) (i32.const 30)) (then unreachable))
          (if (i32.eq (local.get $type) (i32.const 70)) (then (call $seen (i32.const 9))))
          unreachable))))
  ;; Seven are too few.
  (func (export "few") (param i32) (result i32)
    (block $a (block $b
      (br_if $a (i32.eq (local.get 0) (i32.const 1)))
      (br_if $b (i32.eq (local.get 0) (i32.const 2)))
      (br_if $a (i32.eq (local.get 0) (i32.const 3)))
      (br_if $b (i32.eq (local.get 0) (i32.const 4)))
      (br_if $a (i32.eq (local.get 0) (i32.const 5)))
      (br_if $b (i32.eq (local.get 0) (i32.const 6)))
      (br_if $a (i32.eq (local.get 0) (i32.const 7))))
      (return (i32.const 0)))
    (i32.const 1)))
;;! ;; function 1 wasm[1]: (i32) -> (), Wasm 0x40..0xa4
;;! function u0:1(i64, i32) system_v {
;;!     sig0 = (i64, i32) system_v
;;!     fn0 = colocated u0:0 sig0
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @0045                               v2 = iconst.i32 70
;;! @0048                               v3 = icmp eq v1, v2  ; v2 = 70
;;! @0048                               v4 = uextend.i32 v3
;;! @0054                               v6 = iconst.i32 10
;;! @0056                               v7 = icmp eq v1, v6  ; v6 = 10
;;! @0056                               v8 = uextend.i32 v7
;;! @0062                               v10 = iconst.i32 -1
;;! @0064                               v11 = icmp eq v1, v10  ; v10 = -1
;;! @0064                               v12 = uextend.i32 v11
;;! @0070                               v14 = iconst.i32 40
;;! @0072                               v15 = icmp eq v1, v14  ; v14 = 40
;;! @0072                               v16 = uextend.i32 v15
;;! @0077                               v17 = iconst.i32 20
;;! @0079                               v18 = icmp ne v1, v17  ; v17 = 20
;;! @0079                               v19 = uextend.i32 v18
;;! @007e                               v20 = iconst.i32 50
;;! @0080                               v21 = icmp eq v1, v20  ; v20 = 50
;;! @0080                               v22 = uextend.i32 v21
;;! @0083                               v23 = iconst.i32 60
;;! @0087                               v24 = icmp eq v23, v1  ; v23 = 60
;;! @0087                               v25 = uextend.i32 v24
;;! @008c                               v26 = iconst.i32 30
;;! @008e                               v27 = icmp eq v1, v26  ; v26 = 30
;;! @008e                               v28 = uextend.i32 v27
;;! @0095                               v29 = iconst.i32 70
;;! @0098                               v30 = icmp eq v1, v29  ; v29 = 70
;;! @0098                               v31 = uextend.i32 v30
;;! @0049                               v33 = iconst.i32 50
;;! @0049                               v34 = icmp ult v1, v33  ; v33 = 50
;;! @0049                               brif v34, block25, block26
;;!
;;!                                 block4:
;;! @004b                               v5 = iconst.i32 1
;;! @004d                               call fn0(v0, v5)  ; v5 = 1
;;! @004f                               jump block2
;;!
;;!                                 block7:
;;! @0059                               v9 = iconst.i32 2
;;! @005b                               call fn0(v0, v9)  ; v9 = 2
;;! @005d                               jump block2
;;!
;;!                                 block10:
;;! @0067                               v13 = iconst.i32 3
;;! @0069                               call fn0(v0, v13)  ; v13 = 3
;;! @006b                               jump block2
;;!
;;!                                 block19:
;;! @0091                               trap user1
;;!
;;!                                 block25:
;;! @0049                               v35 = iconst.i32 30
;;! @0049                               v36 = icmp.i32 ult v1, v35  ; v35 = 30
;;! @0049                               brif v36, block27, block28
;;!
;;!                                 block26:
;;! @0073                               v45 = iconst.i32 70
;;! @0073                               v46 = icmp.i32 ult v1, v45  ; v45 = 70
;;! @0073                               brif v46, block31, block32
;;!
;;!                                 block27:
;;! @0057                               v37 = iconst.i32 10
;;! @0057                               v38 = icmp.i32 eq v1, v37  ; v37 = 10
;;! @0057                               brif v38, block7, block29
;;!
;;!                                 block28:
;;! @008f                               v41 = iconst.i32 30
;;! @008f                               v42 = icmp.i32 eq v1, v41  ; v41 = 30
;;! @008f                               brif v42, block19, block30
;;!
;;!                                 block29:
;;! @007a                               v39 = iconst.i32 20
;;! @007a                               v40 = icmp.i32 eq v1, v39  ; v39 = 20
;;! @007a                               brif v40, block15, block24
;;!
;;!                                 block30:
;;! @0073                               v43 = iconst.i32 40
;;! @0073                               v44 = icmp.i32 eq v1, v43  ; v43 = 40
;;! @0073                               brif v44, block2, block24
;;!
;;!                                 block31:
;;! @0081                               v47 = iconst.i32 50
;;! @0081                               v48 = icmp.i32 eq v1, v47  ; v47 = 50
;;! @0081                               brif v48, block2, block33
;;!
;;!                                 block32:
;;! @0049                               v51 = iconst.i32 70
;;! @0049                               v52 = icmp.i32 eq v1, v51  ; v51 = 70
;;! @0049                               brif v52, block4, block34
;;!
;;!                                 block33:
;;! @0088                               v49 = iconst.i32 60
;;! @0088                               v50 = icmp.i32 eq v1, v49  ; v49 = 60
;;! @0088                               brif v50, block2, block24
;;!
;;!                                 block34:
;;! @0065                               v53 = iconst.i32 -1
;;! @0065                               v54 = icmp.i32 eq v1, v53  ; v53 = -1
;;! @0065                               brif v54, block10, block24
;;!
;;!                                 block24:
;;! @0049                               jump block23
;;!
;;!                                 block22:
;;! @009b                               v32 = iconst.i32 9
;;! @009d                               call fn0(v0, v32)  ; v32 = 9
;;! @009f                               jump block21
;;!
;;!                                 block23:
;;! @009f                               jump block21
;;!
;;!                                 block21:
;;! @00a0                               trap user1
;;!
;;!                                 block15:
;;! @00a1                               jump block13
;;!
;;!                                 block13:
;;! @00a2                               jump block2
;;!
;;!                                 block2:
;;! @00a3                               jump block1
;;!
;;!                                 block1:
;;! @00a3                               return
;;! }
;;!
;;! ;; function 2 wasm[2]: (i32) -> i32, Wasm 0xa5..0xe3
;;! function u0:2(i64, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @00ac                               v3 = iconst.i32 1
;;! @00ae                               v4 = icmp eq v1, v3  ; v3 = 1
;;! @00ae                               v5 = uextend.i32 v4
;;! @00af                               brif v5, block2, block4
;;!
;;!                                 block4:
;;! @00b3                               v6 = iconst.i32 2
;;! @00b5                               v7 = icmp.i32 eq v1, v6  ; v6 = 2
;;! @00b5                               v8 = uextend.i32 v7
;;! @00b6                               brif v8, block3, block5
;;!
;;!                                 block5:
;;! @00ba                               v9 = iconst.i32 3
;;! @00bc                               v10 = icmp.i32 eq v1, v9  ; v9 = 3
;;! @00bc                               v11 = uextend.i32 v10
;;! @00bd                               brif v11, block2, block6
;;!
;;!                                 block6:
;;! @00c1                               v12 = iconst.i32 4
;;! @00c3                               v13 = icmp.i32 eq v1, v12  ; v12 = 4
;;! @00c3                               v14 = uextend.i32 v13
;;! @00c4                               brif v14, block3, block7
;;!
;;!                                 block7:
;;! @00c8                               v15 = iconst.i32 5
;;! @00ca                               v16 = icmp.i32 eq v1, v15  ; v15 = 5
;;! @00ca                               v17 = uextend.i32 v16
;;! @00cb                               brif v17, block2, block8
;;!
;;!                                 block8:
;;! @00cf                               v18 = iconst.i32 6
;;! @00d1                               v19 = icmp.i32 eq v1, v18  ; v18 = 6
;;! @00d1                               v20 = uextend.i32 v19
;;! @00d2                               brif v20, block3, block9
;;!
;;!                                 block9:
;;! @00d6                               v21 = iconst.i32 7
;;! @00d8                               v22 = icmp.i32 eq v1, v21  ; v21 = 7
;;! @00d8                               v23 = uextend.i32 v22
;;! @00d9                               brif v23, block2, block10
;;!
;;!                                 block10:
;;! @00db                               jump block3
;;!
;;!                                 block3:
;;! @00dc                               v24 = iconst.i32 0
;;! @00de                               return v24  ; v24 = 0
;;!
;;!                                 block2:
;;! @00e0                               v25 = iconst.i32 1
;;! @00e2                               jump block1(v25)  ; v25 = 1
;;!
;;!                                 block1(v2: i32):
;;! @00e2                               return v2
;;! }
