(module
  (import "env" "ext_logging_log_version_1" (func (param i32 i64 i64)))
  (func $go)
  (start $go))
