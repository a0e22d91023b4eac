package onnx

import (
	"os"
	"path/filepath"
)

// leastVersion is the oldest ONNX Runtime that offers the C API this program asks for (24).
const leastVersion = "1.24"

// The names the library goes by. The first is what its own packages install.
var libraryNames = [...]string{"libonnxruntime.so.1", "libonnxruntime.so", "libonnxruntime.dylib"}

// Devices that Open understands.
const (
	DeviceAuto = "auto"
	DeviceCPU  = "cpu"
	DeviceCUDA = "cuda"
)

// Providers that a session may report.
const (
	ProviderCPU  = "cpu"
	ProviderCUDA = "cuda"
)

// candidates lists what to hand to the loader, best first. An explicit path is the only candidate: falling back from a
// path somebody set would hide their mistake. The bare names at the end leave the search to the system's loader.
func candidates(explicit string, dirs []string) []string {
	if explicit != "" {
		if info, err := os.Stat(explicit); err == nil && info.IsDir() {
			return inDir(explicit)
		}
		return []string{explicit}
	}
	var found []string
	for _, dir := range searchDirs(dirs) {
		for _, path := range inDir(dir) {
			if _, err := os.Stat(path); err == nil {
				found = append(found, path)
			}
		}
	}
	return append(found, libraryNames[:]...)
}

func inDir(dir string) []string {
	var paths []string
	for _, name := range libraryNames {
		paths = append(paths, filepath.Join(dir, name))
	}
	return paths
}

// searchDirs never contains the working directory: a library found there would run with the program's rights.
func searchDirs(extra []string) []string {
	var dirs []string
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		dirs = append(dirs, filepath.Dir(self), filepath.Join(filepath.Dir(self), "lib"))
	}
	for _, dir := range extra {
		if dir != "" {
			dirs = append(dirs, dir, filepath.Join(dir, "onnxruntime"))
		}
	}
	return append(dirs, "/usr/local/lib")
}
