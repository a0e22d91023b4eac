package onnx_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"crm/internal/platform/onnx"
	"crm/internal/platform/onnx/onnxtest"
)

func load(t *testing.T, weight float32) *onnx.Session {
	t.Helper()
	s, err := onnxtest.Runtime(t).Load(sigmoidModel(weight))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(s *onnx.Session) bool {
	_, err := s.Run([]float32{1}, 1)
	return errors.Is(err, onnx.ErrClosed)
}

func TestHandleKeepsSessionUntilLastUser(t *testing.T) {
	t.Parallel()
	var h onnx.Handle
	if _, _, err := h.Acquire(); !errors.Is(err, onnx.ErrClosed) {
		t.Fatalf("empty handle: %v", err)
	}
	first, second := load(t, 1), load(t, 2)
	h.Swap(first)
	held, release, err := h.Acquire()
	if err != nil || held != first {
		t.Fatalf("acquired %p, %v", held, err)
	}
	h.Swap(second)
	if closed(first) {
		t.Fatal("the session was closed under its user")
	}
	release()
	if !closed(first) {
		t.Error("the session outlived its last user")
	}
	h.Close()
	if !closed(second) {
		t.Error("the session outlived the handle")
	}
}

func TestHandleSwapsUnderLoad(t *testing.T) {
	t.Parallel()
	var h onnx.Handle
	h.Swap(load(t, 1))
	var users sync.WaitGroup
	var scores atomic.Int64
	stop := make(chan struct{})
	for range 4 {
		users.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s, release, err := h.Acquire()
				if err != nil {
					t.Errorf("acquire: %v", err)
					return
				}
				if _, err := s.Run([]float32{1}, 1); err != nil {
					t.Errorf("run: %v", err)
				}
				release()
				scores.Add(1)
			}
		})
	}
	for i := range 100 {
		h.Swap(load(t, float32(i)))
	}
	close(stop)
	users.Wait()
	h.Close()
	t.Logf("%d scores during 100 swaps", scores.Load())
}

func TestCacheLoadsOnceAndEvictsOldest(t *testing.T) {
	t.Parallel()
	c := onnx.NewCache(2)
	ctx := context.Background()
	loads := map[string]int{}
	acquire := func(key string) (*onnx.Session, func()) {
		t.Helper()
		s, release, err := c.Acquire(ctx, key, func() (*onnx.Session, error) {
			loads[key]++
			return onnxtest.Runtime(t).Load(sigmoidModel(1))
		})
		if err != nil {
			t.Fatal(err)
		}
		return s, release
	}
	a, releaseA := acquire("a")
	_, releaseB := acquire("b")
	releaseB()
	b, releaseB := acquire("b")
	releaseB()
	_, releaseC := acquire("c") // pushes out a, which is in use
	releaseC()
	if c.Len() != 2 || closed(a) || closed(b) {
		t.Fatalf("len %d, a closed %v, b closed %v", c.Len(), closed(a), closed(b))
	}
	releaseA()
	if !closed(a) {
		t.Error("a was pushed out and is still open without users")
	}
	c.Drop("b")
	if !closed(b) {
		t.Error("b was dropped and is still open")
	}
	if loads["a"] != 1 || loads["b"] != 1 || loads["c"] != 1 {
		t.Errorf("loads %v, want one each", loads)
	}
	c.Close()
	if _, _, err := c.Acquire(ctx, "a", nil); !errors.Is(err, onnx.ErrClosed) {
		t.Errorf("acquire after close: %v", err)
	}
}

func TestCacheForgetsFailedLoads(t *testing.T) {
	t.Parallel()
	c := onnx.NewCache(0)
	t.Cleanup(c.Close)
	broken := errors.New("broken")
	_, _, err := c.Acquire(context.Background(), "a", func() (*onnx.Session, error) { return nil, broken })
	if !errors.Is(err, broken) || c.Len() != 0 {
		t.Fatalf("got %v with %d entries", err, c.Len())
	}
	_, release, err := c.Acquire(context.Background(), "a", func() (*onnx.Session, error) {
		return onnxtest.Runtime(t).Load(sigmoidModel(1))
	})
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestCacheUnderLoad(t *testing.T) {
	t.Parallel()
	c := onnx.NewCache(3)
	r := onnxtest.Runtime(t)
	var users sync.WaitGroup
	for user := range 8 {
		users.Go(func() {
			for i := range 60 {
				key := fmt.Sprint((i*7 + user) % 6)
				s, release, err := c.Acquire(context.Background(), key, func() (*onnx.Session, error) { return r.Load(sigmoidModel(1)) })
				if err != nil {
					t.Errorf("acquire: %v", err)
					return
				}
				if _, err := s.Run([]float32{1}, 1); err != nil {
					t.Errorf("run: %v", err)
				}
				if i%5 == 0 {
					c.Drop(key)
				}
				release()
			}
		})
	}
	users.Wait()
	c.Close()
	if c.Len() != 0 {
		t.Errorf("%d sessions left", c.Len())
	}
}

func TestCacheWaiterHonoursContext(t *testing.T) {
	t.Parallel()
	c := onnx.NewCache(1)
	t.Cleanup(c.Close)
	r := onnxtest.Runtime(t)
	entered, finish := make(chan struct{}), make(chan struct{})
	var loader sync.WaitGroup
	loader.Go(func() {
		_, release, err := c.Acquire(context.Background(), "a", func() (*onnx.Session, error) {
			close(entered)
			<-finish
			return r.Load(sigmoidModel(1))
		})
		if err != nil {
			t.Errorf("loader: %v", err)
			return
		}
		release()
	})
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := c.Acquire(ctx, "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("waiter: %v", err)
	}
	close(finish)
	loader.Wait()
}
