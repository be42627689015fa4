;; wasmi 2.0.0 reads the local too late: it keeps the value only where the branch is taken that
;; sets the local.
(module
  (func (param i64) (result i64)
    local.get 0
    i64.const 5
    i32.const 0
    i32.load
    if (param i64) (result i64)
      block
        i64.const 1
        local.set 0
      end
    else
    end
    i64.xor)
  (memory 1 1))
