// A worker for wazero, by the protocol of bench-suite/WORKERS.md: it reads a job on standard input,
// and prints samples.
//
//	go build . && lithify bench --engines lithify,command:./worker-go
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// job is what this program is told.
type job struct {
	Protocol int    `json:"protocol"`
	Task     string `json:"task"`
	Module   string `json:"module"`
	Artifact string `json:"artifact"`
	Entry    string `json:"entry"`
	Input    string `json:"input"`
	Samples  int    `json:"samples"`
	Probe    string `json:"probe"`
}

// line is what it says.
type line struct {
	Phase  string `json:"phase,omitempty"`
	Ns     int64  `json:"ns,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	Output string `json:"output,omitempty"`
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	say := func(l line) { _ = json.NewEncoder(out).Encode(l) }
	err := work(os.Stdin, say)
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func work(in io.Reader, say func(line)) error {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return fmt.Errorf("not a job: %w", err)
	}
	if j.Protocol != 1 {
		return fmt.Errorf("protocol %d is not known", j.Protocol)
	}
	switch j.Task {
	case "open":
		return nil
	case "compile":
		return compile(j, say)
	case "call":
		return call(j, say)
	default:
		return fmt.Errorf("task %q is not known", j.Task)
	}
}

// engine is wazero with its cache in a folder, which is the artifact, and the module on it.
type engine struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
	host    *host
}

func open(ctx context.Context, j job) (*engine, error) {
	cache, err := wazero.NewCompilationCacheWithDir(j.Artifact)
	if err != nil {
		return nil, err
	}
	config := wazero.NewRuntimeConfigCompiler().WithCompilationCache(cache)
	runtime := wazero.NewRuntimeWithConfig(ctx, config)
	wasm, err := os.ReadFile(j.Module)
	if err != nil {
		return nil, err
	}
	module, err := runtime.CompileModule(ctx, wasm)
	if err != nil {
		return nil, err
	}
	return &engine{runtime, module, &host{}}, nil
}

func compile(j job, say func(line)) error {
	ctx := context.Background()
	cpu, start := cpuTime(), time.Now()
	if _, err := open(ctx, j); err != nil {
		return err
	}
	say(line{Phase: "compile", Ns: time.Since(start).Nanoseconds()})
	say(line{Phase: "compile-cpu", Ns: cpuTime() - cpu})
	var size int64
	err := filepath.WalkDir(j.Artifact, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	say(line{Phase: "artifact", Bytes: size})
	return err
}

func call(j job, say func(line)) error {
	ctx := context.Background()
	input, err := hex.DecodeString(strings.TrimPrefix(j.Input, "0x"))
	if err != nil {
		return err
	}
	start := time.Now()
	e, err := open(ctx, j)
	if err != nil {
		return err
	}
	loaded := time.Since(start)
	if err := e.imports(ctx, j.Probe); err != nil {
		return err
	}
	first, err := e.call(ctx, j.Entry, input)
	if err != nil {
		return err
	}
	say(line{Phase: "cold", Ns: time.Since(start).Nanoseconds()})
	say(line{Phase: "load", Ns: loaded.Nanoseconds()})
	say(line{Output: "0x" + hex.EncodeToString(first)})
	for range j.Samples {
		start := time.Now()
		output, err := e.call(ctx, j.Entry, input)
		took := time.Since(start).Nanoseconds()
		if err != nil {
			return err
		}
		if string(output) != string(first) {
			return errors.New("a call returned something else when it was made again")
		}
		say(line{Phase: "total", Ns: took})
	}
	return nil
}

// call makes a fresh instance, calls the entry point, and ends the instance.
func (e *engine) call(ctx context.Context, entry string, input []byte) ([]byte, error) {
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	instance, err := e.runtime.InstantiateModule(ctx, e.module, config)
	if err != nil {
		return nil, err
	}
	defer instance.Close(ctx)
	function := instance.ExportedFunction(entry)
	heapBase := instance.ExportedGlobal("__heap_base")
	if function == nil || heapBase == nil {
		return nil, fmt.Errorf("the module has no %s, or no __heap_base", entry)
	}
	memory := instance.Memory()
	e.host.begin(uint32(heapBase.Get()))
	address := e.host.allocate(memory, uint32(len(input)))
	if !memory.Write(address, input) {
		return nil, errors.New("no memory for the input")
	}
	results, err := function.Call(ctx, uint64(address), uint64(len(input)))
	if err != nil {
		return nil, err
	}
	output, ok := memory.Read(uint32(results[0]), uint32(results[0]>>32))
	if !ok {
		return nil, errors.New("the output is outside of memory")
	}
	// What was read is the memory itself, which goes.
	return append([]byte(nil), output...), nil
}

// imports binds every function that the module imports: the probe, the heap, and what traps.
func (e *engine) imports(ctx context.Context, probe string) error {
	builders := map[string]wazero.HostModuleBuilder{}
	for _, function := range e.module.ImportedFunctions() {
		module, name, _ := function.Import()
		if builders[module] == nil {
			builders[module] = e.runtime.NewHostModuleBuilder(module)
		}
		builders[module].NewFunctionBuilder().
			WithGoModuleFunction(e.host.function(name, probe), function.ParamTypes(), function.ResultTypes()).
			Export(name)
	}
	for _, builder := range builders {
		if _, err := builder.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// host is what a call needs besides the guest: the heap of a Polkadot node.
type host struct {
	top  uint32
	free [orders]uint32
}

const (
	// Blocks have 8 bytes to 32 MiB, each order twice the one before.
	orders   = 23
	smallest = 8
	header   = 8
	page     = 1 << 16
)

// begin makes the heap empty. It begins where a block's header is aligned.
func (h *host) begin(heapBase uint32) {
	*h = host{top: (heapBase + 7) &^ 7}
}

// allocate takes a block: the one of its order that was freed last, or a new one.
func (h *host) allocate(memory api.Memory, size uint32) uint32 {
	order := bits.Len32((max(size, smallest) - 1) / smallest)
	if order >= orders {
		panic("a block is too large")
	}
	var address uint32
	if h.free[order] != 0 {
		address = h.free[order]
		next, _ := memory.ReadUint32Le(address - header)
		h.free[order] = next
	} else {
		end := uint64(h.top) + header + smallest<<order
		if missing := int64(end) - int64(memory.Size()); missing > 0 {
			if _, ok := memory.Grow(uint32((missing + page - 1) / page)); !ok {
				panic("the heap is exhausted")
			}
		}
		address = h.top + header
		h.top = uint32(end)
	}
	memory.WriteUint64Le(address-header, 1<<32|uint64(order))
	return address
}

// release gives a block back: its header has the next free one of its order.
func (h *host) release(memory api.Memory, address uint32) {
	order, ok := memory.ReadUint32Le(address - header)
	if !ok || order >= orders {
		panic("no block is there")
	}
	memory.WriteUint64Le(address-header, uint64(h.free[order]))
	h.free[order] = address
}

func (h *host) function(name, probe string) api.GoModuleFunc {
	switch name {
	case probe:
		return func(_ context.Context, _ api.Module, stack []uint64) {
			stack[0] = uint64(uint32(stack[0]) + 1)
		}
	case "ext_allocator_malloc_version_1":
		return func(_ context.Context, guest api.Module, stack []uint64) {
			stack[0] = uint64(h.allocate(guest.Memory(), uint32(stack[0])))
		}
	case "ext_allocator_free_version_1":
		return func(_ context.Context, guest api.Module, stack []uint64) {
			h.release(guest.Memory(), uint32(stack[0]))
		}
	case "ext_logging_max_level_version_1":
		return func(_ context.Context, _ api.Module, stack []uint64) { stack[0] = 0 }
	default:
		return func(context.Context, api.Module, []uint64) {
			panic("this worker has no host function " + name)
		}
	}
}

// cpuTime is what this process has used so far, in nanoseconds.
func cpuTime() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
