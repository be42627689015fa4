(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "half") (param f64) (result f64 i64)
    (f64.div (local.get 0) (f64.const 2)) (i64.const -1))
  (func (export "for_ever") (loop (br 0))))
