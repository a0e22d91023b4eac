//go:build !cgo

package onnx

// Runtime stands in for the real one in a program built without cgo, which cannot open C libraries.
type Runtime struct{}

// Session is never made without cgo.
type Session struct{}

// Open always fails with ErrLibraryMissing.
func Open(string, string, ...string) (*Runtime, error) {
	return nil, &LibraryError{Reason: "this program was built without cgo and cannot load it; build it with CGO_ENABLED=1"}
}

// Version is empty.
func (*Runtime) Version() string { return "" }

// Library is empty.
func (*Runtime) Library() string { return "" }

// Provider is the CPU.
func (*Runtime) Provider() string { return ProviderCPU }

// Fallback is empty.
func (*Runtime) Fallback() string { return "" }

// Load always fails.
func (*Runtime) Load([]byte) (*Session, error) { return nil, ErrLibraryMissing }

// Run always fails.
func (*Session) Run([]float32, int) ([]float32, error) { return nil, ErrClosed }

// Metadata always fails.
func (*Session) Metadata(string) (string, error) { return "", ErrClosed }

// Provider is the CPU.
func (*Session) Provider() string { return ProviderCPU }

// Close does nothing.
func (*Session) Close() error { return nil }
