;; Each engine has an error of its own kind for a segment that does not fit.
(module
  (table 3 funcref)
  (memory 1 1)
  (func $f)
  (elem (i32.const 0xff000003) func $f $f)
  (data (i32.const 65535) "two"))
