;; test: clif
;; A leaf and, in it, the only call of a function; what calls itself stays a call.
(module
  (memory 1)
  (func $leaf (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
    (i32.load (local.get 0)))
  (func $once (param i32) (result i32)
    (i32.add (call $leaf (local.get 0)) (call $leaf (i32.const 8))))
  (func $again (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (call $again (i32.sub (local.get 0) (i32.const 1))))
      (else (i32.const 0))))
  (func (export "run") (param i32) (result i32)
    (i32.mul (call $once (local.get 0)) (call $again (local.get 0)))))
;;! ;; function 0 leaf: (i32) -> i32, Wasm 0x29..0x39
;;! function u0:0(i64, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!     region1 = 0 "memory"
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @002c                               v3 = iconst.i32 0
;;! @002c                               v4 = icmp eq v1, v3  ; v3 = 0
;;! @002c                               v5 = uextend.i32 v4
;;! @002d                               brif v5, block3, block4
;;!
;;!                                 block3:
;;! @002f                               v6 = iconst.i32 7
;;! @0031                               return v6  ; v6 = 7
;;!
;;!                                 block4:
;;! @0032                               jump block2
;;!
;;!                                 block2:
;;! @0035                               v7 = uextend.i64 v1
;;! @0035                               v8 = iadd.i64 v0, v7
;;! @0035                               v9 = load.i32 little region1 v8
;;! @0038                               jump block1(v9)
;;!
;;!                                 block1(v2: i32):
;;! @0038                               return v2
;;! }
;;!
;;! ;; function 1 once: (i32) -> i32, Wasm 0x3a..0x45
;;! function u0:1(i64, i32) -> i32 system_v {
;;!     region0 = 0 "memory"
;;!     region1 = 2 "vmctx"
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @0048                               v4 = iconst.i32 0
;;! @0048                               v5 = icmp eq v1, v4  ; v4 = 0
;;! @0048                               v6 = uextend.i32 v5
;;! @0049                               brif v6, block4, block5
;;!
;;!                                 block4:
;;! @004b                               v7 = iconst.i32 7
;;! @004d                               jump block2(v7)  ; v7 = 7
;;!
;;!                                 block5:
;;! @004e                               jump block3
;;!
;;!                                 block3:
;;! @0051                               v8 = uextend.i64 v1
;;! @0051                               v9 = iadd.i64 v0, v8
;;! @0051                               v10 = load.i32 little region0 v9
;;! @0054                               jump block2(v10)
;;!
;;!                                 block2(v3: i32):
;;! @003f                               v11 = iconst.i32 8
;;! @0058                               v13 = iconst.i32 0
;;! @0058                               v14 = icmp eq v11, v13  ; v11 = 8, v13 = 0
;;! @0058                               v15 = uextend.i32 v14
;;! @0059                               brif v15, block8, block9
;;!
;;!                                 block8:
;;! @005b                               v16 = iconst.i32 7
;;! @005d                               jump block6(v16)  ; v16 = 7
;;!
;;!                                 block9:
;;! @005e                               jump block7
;;!
;;!                                 block7:
;;! @0061                               v17 = uextend.i64 v11  ; v11 = 8
;;! @0061                               v18 = iadd.i64 v0, v17
;;! @0061                               v19 = load.i32 little region0 v18
;;! @0064                               jump block6(v19)
;;!
;;!                                 block6(v12: i32):
;;! @0043                               v20 = iadd.i32 v3, v12
;;! @0044                               jump block1(v20)
;;!
;;!                                 block1(v2: i32):
;;! @0044                               return v2
;;! }
;;!
;;! ;; function 2 again: (i32) -> i32, Wasm 0x46..0x57
;;! function u0:2(i64, i32) -> i32 system_v {
;;!     region0 = 2 "vmctx"
;;!     sig0 = (i64, i32) -> i32 system_v
;;!     fn0 = colocated u0:2 sig0
;;!
;;!                                 block0(v0: i64, v1: i32):
;;! @0049                               brif v1, block3, block4
;;!
;;!                                 block3:
;;! @004d                               v4 = iconst.i32 1
;;! @004f                               v5 = isub.i32 v1, v4  ; v4 = 1
;;! @0050                               v6 = call fn0(v0, v5)
;;! @0052                               jump block2(v6)
;;!
;;!                                 block4:
;;! @0053                               v7 = iconst.i32 0
;;! @0055                               jump block2(v7)  ; v7 = 0
;;!
;;!                                 block2(v3: i32):
;;! @0056                               jump block1(v3)
;;!
;;!                                 block1(v2: i32):
;;! @0056                               return v2
;;! }
;;!
;;! ;; function 3 wasm[3]: (i32) -> i32, Wasm 0x58..0x63
;;! function u0:3(i64, i32) -> i32 system_v {
;;!     region0 = 0 "memory"
;;!     region1 = 2 "vmctx"
;;!     sig0 = (i64, i32) -> i32 system_v
;;!     fn0 = colocated u0:2 sig0
;;!
;;!                                 block0(v0: i64, v1: i32):
;;!                                     v22 -> v1
;;!                                     v23 -> v1
;;! @0071                               v5 = iconst.i32 0
;;! @0071                               v6 = icmp eq v1, v5  ; v5 = 0
;;! @0071                               v7 = uextend.i32 v6
;;! @0072                               brif v7, block5, block6
;;!
;;!                                 block5:
;;! @0074                               v8 = iconst.i32 7
;;! @0076                               jump block3(v8)  ; v8 = 7
;;!
;;!                                 block6:
;;! @0077                               jump block4
;;!
;;!                                 block4:
;;! @007a                               v9 = uextend.i64 v1
;;! @007a                               v10 = iadd.i64 v0, v9
;;! @007a                               v11 = load.i32 little region0 v10
;;! @007d                               jump block3(v11)
;;!
;;!                                 block3(v4: i32):
;;! @0068                               v12 = iconst.i32 8
;;! @0081                               v14 = iconst.i32 0
;;! @0081                               v15 = icmp eq v12, v14  ; v12 = 8, v14 = 0
;;! @0081                               v16 = uextend.i32 v15
;;! @0082                               brif v16, block9, block10
;;!
;;!                                 block9:
;;! @0084                               v17 = iconst.i32 7
;;! @0086                               jump block7(v17)  ; v17 = 7
;;!
;;!                                 block10:
;;! @0087                               jump block8
;;!
;;!                                 block8:
;;! @008a                               v18 = uextend.i64 v12  ; v12 = 8
;;! @008a                               v19 = iadd.i64 v0, v18
;;! @008a                               v20 = load.i32 little region0 v19
;;! @008d                               jump block7(v20)
;;!
;;!                                 block7(v13: i32):
;;! @006c                               v21 = iadd.i32 v4, v13
;;! @006d                               jump block2(v21)
;;!
;;!                                 block2(v3: i32):
;;! @005f                               v24 = call fn0(v0, v1)
;;! @0061                               v25 = imul v3, v24
;;! @0062                               jump block1(v25)
;;!
;;!                                 block1(v2: i32):
;;! @0062                               return v2
;;! }
