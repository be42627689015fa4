;; wasmi 2.0.0 reads the local too late here as well, and reinterpreting it does not change that.
(module
  (func (param f32) (result i32)
    local.get 0
    i32.const 5
    i32.const 0
    i32.load
    if (param i32) (result i32)
      block
        f32.const 1
        local.set 0
      end
    else
    end
    drop
    i32.reinterpret_f32)
  (memory 1 1))
