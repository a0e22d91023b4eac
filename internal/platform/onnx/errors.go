package onnx

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrLibraryMissing says that no usable ONNX Runtime library was found. It is no reason to stop: scores then come
	// from the built-in evaluator.
	ErrLibraryMissing = errors.New("the ONNX Runtime library is missing")
	// ErrClosed is returned by a session, handle or cache after Close.
	ErrClosed = errors.New("the model is closed")
	// ErrMismatch is returned by the gate when two evaluators of one model disagree.
	ErrMismatch = errors.New("the loaded model does not give the scores it was trained to give")
)

// LibraryError tells what was tried. It matches [ErrLibraryMissing] with errors.Is.
type LibraryError struct {
	Tried  []string // files and directories looked at, in order
	Reason string   // the loader's words, or why nothing was tried
}

func (e *LibraryError) Error() string {
	why := "looked at " + strings.Join(e.Tried, ", ")
	if len(e.Tried) == 1 { // a path somebody chose: say what is wrong with it
		why = e.Tried[0] + ": " + e.Reason
	}
	return fmt.Sprintf("%s (%s); put %s of ONNX Runtime %s or later into /usr/local/lib or beside the program, or set CRM_ONNXRUNTIME_LIB to its path",
		ErrLibraryMissing, why, libraryNames[0], leastVersion)
}

// Is makes errors.Is(err, ErrLibraryMissing) true.
func (e *LibraryError) Is(target error) bool { return target == ErrLibraryMissing }
