;; wasmi without optimisation takes host stack for each growth until the call is over.
(module
  (memory 1 4)
  (func (loop
    (drop (memory.grow (i32.const 0)))
    (drop (memory.grow (i32.const 0)))
    (drop (memory.grow (i32.const 0)))
    (drop (memory.grow (i32.const 0)))
    (br 0))))
