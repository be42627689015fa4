;; wasmi 2.0.0 stores the result of this select before it reads the local that it compares.
(module
  (func (result i32) (local i32)
    (local.set 0 (select (i32.const 5) (i32.const 9) (i32.eqz (local.get 0))))
    (local.get 0)))
