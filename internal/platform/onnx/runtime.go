//go:build cgo

package onnx

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"
)

// The C library is one per process, whatever this program does: it is loaded once and never unloaded, since sessions
// of any owner may still be running. This is the one piece of global state, and it mirrors the library's own.
var (
	loading sync.Mutex
	loaded  string // path of the library in use
)

// Runtime is the opened library. It is safe for concurrent use and needs no closing.
type Runtime struct {
	library string
	device  string
	// fallback tells why CUDA is not in use; nil when it is, or was not asked for.
	fallback atomic.Pointer[string]
}

// Open finds and initialises the library. libPath is a file or directory and may be empty; device is auto, cpu or cuda;
// dirs are searched besides the usual places. The error matches [ErrLibraryMissing] when no library could be used.
//
// A process has one library: after the first success, later calls return it whatever path they give.
func Open(libPath, device string, dirs ...string) (*Runtime, error) {
	switch device {
	case "":
		device = DeviceAuto
	case DeviceAuto, DeviceCPU, DeviceCUDA:
	default:
		return nil, fmt.Errorf("open ONNX Runtime: device %q is unknown; use auto, cpu or cuda", device)
	}
	library, err := initialise(libPath, dirs)
	if err != nil {
		return nil, err
	}
	r := &Runtime{library: library, device: device}
	if device != DeviceCPU {
		r.tryCUDA()
	}
	return r, nil
}

func initialise(libPath string, dirs []string) (string, error) {
	loading.Lock()
	defer loading.Unlock()
	if loaded != "" {
		return loaded, nil
	}
	tried := candidates(libPath, dirs)
	var failures []error
	for _, path := range tried {
		if err := load(path); err != nil {
			failures = append(failures, err)
			continue
		}
		loaded = path
		return loaded, nil
	}
	return "", &LibraryError{Tried: tried, Reason: errors.Join(failures...).Error()}
}

// load opens one library. The log level is fatal because the library writes to stderr past our log, and everything it
// would say comes back as an error anyway.
func load(path string) error {
	ort.SetSharedLibraryPath(path)
	err := ort.InitializeEnvironment(ort.WithLogLevelFatal())
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "API base") {
		return fmt.Errorf("load %s: it is older than ONNX Runtime %s: %w", path, leastVersion, err)
	}
	return fmt.Errorf("load %s: %w", path, err)
}

// Version is the library's version, such as 1.27.0.
func (r *Runtime) Version() string { return ort.GetVersion() }

// Library is the path, or bare name, the library was loaded by.
func (r *Runtime) Library() string { return r.library }

// Provider is where new sessions will run: cuda or cpu.
func (r *Runtime) Provider() string {
	if r.device == DeviceCPU || r.fallback.Load() != nil {
		return ProviderCPU
	}
	return ProviderCUDA
}

// Fallback tells why CUDA is not used although the device setting allows it; empty otherwise.
func (r *Runtime) Fallback() string {
	if reason := r.fallback.Load(); reason != nil {
		return *reason
	}
	return ""
}

// fallBack makes all later sessions run on the CPU.
func (r *Runtime) fallBack(reason string) { r.fallback.Store(&reason) }

// tryCUDA sees whether the provider's libraries load. A machine without an NVIDIA device is not even asked in auto:
// loading half a gigabyte of libraries to learn that would be a poor start.
func (r *Runtime) tryCUDA() {
	if r.device == DeviceAuto && !slices.ContainsFunc(nvidiaFiles[:], exists) {
		r.fallBack("no NVIDIA device on this machine")
		return
	}
	options, err := r.options(true)
	if err == nil {
		err = options.Destroy()
	}
	if err != nil {
		r.fallBack(err.Error())
	}
}

// nvidiaFiles are what a driver leaves on Linux, in containers and under WSL.
var nvidiaFiles = [...]string{"/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// options makes the settings of a session. The caller destroys them.
func (r *Runtime) options(cuda bool) (*ort.SessionOptions, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("make session options: %w", err)
	}
	if err := configure(options, cuda); err != nil {
		return nil, errors.Join(err, options.Destroy())
	}
	return options, nil
}

func configure(options *ort.SessionOptions, cuda bool) error {
	if err := options.SetIntraOpNumThreads(1); err != nil {
		return fmt.Errorf("set threads: %w", err)
	}
	if err := options.SetInterOpNumThreads(1); err != nil {
		return fmt.Errorf("set threads: %w", err)
	}
	if err := options.SetCpuMemArena(false); err != nil {
		return fmt.Errorf("switch off memory arena: %w", err)
	}
	if !cuda {
		return nil
	}
	return appendCUDA(options)
}

func appendCUDA(options *ort.SessionOptions) error {
	cuda, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return fmt.Errorf("make CUDA options: %w", err)
	}
	err = cuda.Update(map[string]string{"device_id": "0", "arena_extend_strategy": "kSameAsRequested"})
	if err == nil {
		err = options.AppendExecutionProviderCUDA(cuda)
	}
	if err := errors.Join(err, cuda.Destroy()); err != nil {
		return fmt.Errorf("use CUDA: %w", err)
	}
	return nil
}
