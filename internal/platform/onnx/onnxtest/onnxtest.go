// Package onnxtest gives tests the real ONNX Runtime library.
//
// There is no stand-in: a test that needs the library fails when it is absent and says how to get it. The library is
// looked for at CRM_ONNXRUNTIME_LIB, then in .cache/onnxruntime at the module root, where the development script puts
// it.
package onnxtest

import (
	"os"
	"path/filepath"
	"testing"

	"crm/internal/platform/onnx"
)

const library = "libonnxruntime.so.1"

// Runtime opens the library, on the CPU.
func Runtime(tb testing.TB) *onnx.Runtime {
	tb.Helper()
	r, err := onnx.Open(Library(tb), onnx.DeviceCPU)
	if err != nil {
		tb.Fatalf("open ONNX Runtime: %v", err)
	}
	return r
}

// Load makes a session that is closed when the test ends.
func Load(tb testing.TB, model []byte) *onnx.Session {
	tb.Helper()
	s, err := Runtime(tb).Load(model)
	if err != nil {
		tb.Fatalf("load model: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close model: %v", err)
		}
	})
	return s
}

// Library returns the library's path.
func Library(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv("CRM_ONNXRUNTIME_LIB"); path != "" {
		return path
	}
	path := filepath.Join(moduleRoot(tb), ".cache", "onnxruntime", library)
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("the ONNX Runtime library is not at %s: run ./dev test, which installs it", path)
	}
	return path
}

func moduleRoot(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatalf("find module root: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Fatal("find module root: no go.mod above the test")
		}
		dir = parent
	}
}
