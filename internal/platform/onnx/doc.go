// Package onnx runs ONNX models through the ONNX Runtime shared library.
//
// The library is not linked: it is found and opened when the program starts, because not every installation has one and
// none should fail to start for lack of it. [Open] looks at the path given, beside the binary, in extra directories (the
// data directory), in /usr/local/lib, and where the system's loader looks. When there is none, or the program was built
// without cgo, the error is [ErrLibraryMissing] and callers score with their own evaluator instead.
//
// A [Runtime] loads model bytes into a [Session]; a session scores batches and may be used by many goroutines. The C
// library frees nothing by itself, so every session has exactly one end: Close, which waits for running batches. Two
// owners keep that simple: a [Handle] holds the current model and swaps it under load, a [Cache] holds the models of
// many tenants and closes those not used lately. Both count users, and the last user closes.
//
// Every session runs on the calling goroutine's thread alone (one intra-op thread): models here take microseconds and
// the server has other work for its cores. The memory arena is off, which halves what a loaded model costs.
//
// With device auto or cuda the CUDA provider is tried once when the library is opened and again for each model; any
// failure falls back to the CPU and [Session.Provider] tells. Operators without a CUDA kernel, trees among them, run on
// the CPU in any case.
//
// The package knows nothing of leads or scores: a model is bytes with one float32 input and one float32 output.
package onnx
