package onnx_test

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"crm/internal/platform/onnx"
	"crm/internal/platform/onnx/onnxtest"
)

func TestSessionScoresBatches(t *testing.T) {
	t.Parallel()
	s := onnxtest.Load(t, sigmoidModel(1, -2))
	got, err := s.Run([]float32{0, 0, 3, 1, -1, 1}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{0.5, 0.7310586, 0.0474259}
	for i, p := range got {
		if math.Abs(float64(p)-want[i]) > 1e-6 {
			t.Errorf("row %d: got %v, want %v", i, p, want[i])
		}
	}
	if s.Provider() != onnx.ProviderCPU {
		t.Errorf("provider %q, want cpu", s.Provider())
	}
	if note, err := s.Metadata("note"); note != "hello" || err != nil {
		t.Errorf("metadata %q, %v", note, err)
	}
	if none, err := s.Metadata("absent"); none != "" || err != nil {
		t.Errorf("absent metadata %q, %v", none, err)
	}
}

func TestSessionRefusesWrongInput(t *testing.T) {
	t.Parallel()
	s := onnxtest.Load(t, sigmoidModel(1, -2))
	for name, c := range map[string]struct {
		batch []float32
		rows  int
	}{
		"uneven":      {[]float32{1, 2, 3}, 2},
		"wrong width": {[]float32{1, 2, 3}, 1},
		"negative":    {[]float32{1, 2}, -1},
		"empty row":   {nil, 1},
	} {
		if _, err := s.Run(c.batch, c.rows); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got, err := s.Run(nil, 0); len(got) != 0 || err != nil {
		t.Errorf("no rows: got %v, %v", got, err)
	}
}

func TestLoadRefusesDamagedModels(t *testing.T) {
	t.Parallel()
	r := onnxtest.Runtime(t)
	for name, model := range map[string][]byte{
		"empty": nil, "noise": []byte("not a model"), "cut": sigmoidModel(1, 2)[:40],
	} {
		if s, err := r.Load(model); err == nil {
			t.Errorf("%s: loaded", name)
			_ = s.Close()
		}
	}
}

func TestClosedSessionSaysSo(t *testing.T) {
	t.Parallel()
	s, err := onnxtest.Runtime(t).Load(sigmoidModel(1))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Run([]float32{1}, 1); !errors.Is(err, onnx.ErrClosed) {
		t.Errorf("run after close: %v", err)
	}
	if _, err := s.Metadata("note"); !errors.Is(err, onnx.ErrClosed) {
		t.Errorf("metadata after close: %v", err)
	}
}

func TestCloseWaitsForRunningBatches(t *testing.T) {
	t.Parallel()
	s, err := onnxtest.Runtime(t).Load(sigmoidModel(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	var started, done sync.WaitGroup
	for range 8 {
		started.Add(1)
		done.Go(func() {
			started.Done()
			for {
				if _, err := s.Run([]float32{1, 2}, 1); err != nil {
					if !errors.Is(err, onnx.ErrClosed) {
						t.Errorf("run: %v", err)
					}
					return
				}
			}
		})
	}
	started.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	done.Wait()
}

func TestVerifyComparesEvaluators(t *testing.T) {
	t.Parallel()
	s := onnxtest.Load(t, sigmoidModel(0.5, -0.25))
	batch := make([]float32, 2*3000)
	for i := range batch {
		batch[i] = float32(i%17) - 8
	}
	if err := onnx.Verify(s, batch, 3000, sigmoidOf(0.5, -0.25)); err != nil {
		t.Errorf("same model: %v", err)
	}
	if err := onnx.Verify(s, batch, 3000, sigmoidOf(0.5, -0.2501)); !errors.Is(err, onnx.ErrMismatch) {
		t.Errorf("other model: %v", err)
	}
	notANumber := func([]float32) float64 { return math.NaN() }
	if err := onnx.Verify(s, batch, 3000, notANumber); !errors.Is(err, onnx.ErrMismatch) {
		t.Errorf("not a number: %v", err)
	}
}

func TestOpenTellsVersionAndFallback(t *testing.T) {
	t.Parallel()
	for _, device := range []string{onnx.DeviceAuto, onnx.DeviceCUDA, onnx.DeviceCPU, ""} {
		r, err := onnx.Open(onnxtest.Library(t), device)
		if err != nil {
			t.Fatal(err)
		}
		if r.Version() == "" || r.Library() == "" {
			t.Errorf("device %q: version %q of %q", device, r.Version(), r.Library())
		}
		if device != onnx.DeviceCPU && (r.Provider() == onnx.ProviderCPU) != (r.Fallback() != "") {
			t.Errorf("device %q: provider %s with fallback reason %q", device, r.Provider(), r.Fallback())
		}
		s, err := r.Load(sigmoidModel(2))
		if err != nil {
			t.Fatalf("device %q: %v", device, err)
		}
		if _, err := s.Run([]float32{1}, 1); err != nil {
			t.Errorf("device %q: %v", device, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := onnx.Open("", "abacus"); err == nil {
		t.Error("an unknown device was accepted")
	}
}

// TestOpenWithoutLibrary runs itself in a process of its own, since a process keeps the first library it loads.
func TestOpenWithoutLibrary(t *testing.T) {
	t.Parallel()
	if path := os.Getenv("ONNX_TEST_OPEN"); path != "" {
		_, err := onnx.Open(path, onnx.DeviceAuto)
		if !errors.Is(err, onnx.ErrLibraryMissing) {
			t.Fatalf("got %v, want ErrLibraryMissing", err)
		}
		if !strings.Contains(err.Error(), "CRM_ONNXRUNTIME_LIB") || !strings.Contains(err.Error(), path) {
			t.Fatalf("the message does not help: %v", err)
		}
		// A failed attempt must leave the way open for a good one.
		if _, err := onnx.Open(os.Getenv("ONNX_TEST_GOOD"), onnx.DeviceCPU); err != nil {
			t.Fatalf("open after a failure: %v", err)
		}
		return
	}
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.so")
	if err := os.WriteFile(broken, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{broken, filepath.Join(dir, "absent.so"), dir} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestOpenWithoutLibrary$")
		cmd.Env = append(os.Environ(), "ONNX_TEST_OPEN="+path, "ONNX_TEST_GOOD="+onnxtest.Library(t))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}
