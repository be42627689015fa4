;; wasmi takes host stack for each growth until the call is over.
(module
  (memory 1 4)
  (func (param i32) (loop
    (drop (memory.grow (memory.grow (memory.grow (local.get 0)))))
    (drop (memory.grow (memory.grow (memory.grow (local.get 0)))))
    (br 0))))
