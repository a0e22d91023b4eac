package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// budgets are packed (gzip) sizes in bytes, from the design: a first visit stays
// under 150 KB, a later page under 25 KB.
var budgets = map[string]int{
	"core.js":           30 << 10,
	"app.css":           20 << 10,
	"icons.svg":         8 << 10,
	"inter-latin.woff2": 50 << 10,
}

func packed(a Asset) int {
	if a.Gzip != nil {
		return len(a.Gzip)
	}
	return len(a.Data)
}

func report(w io.Writer, b Bundle) {
	for _, a := range b.Assets {
		limit := ""
		if max, ok := budgets[a.Name]; ok {
			limit = fmt.Sprintf("of %d", max)
		}
		fmt.Fprintf(w, "%-24s %7d plain %7d gz %7d br %s\n", a.Name, len(a.Data), packed(a), len(a.Brotli), limit)
	}
}

func overBudget(b Bundle) error {
	var over []string
	for _, a := range b.Assets {
		if max, ok := budgets[a.Name]; ok && packed(a) > max {
			over = append(over, fmt.Sprintf("%s is %d bytes packed, allowed are %d", a.Name, packed(a), max))
		}
	}
	if len(over) == 0 {
		return nil
	}
	return fmt.Errorf("over budget: %s", strings.Join(over, "; "))
}

// files lists what dist must hold, by path inside it.
func (b Bundle) files() (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, a := range b.Assets {
		out[a.Hashed] = a.Data
		if a.Gzip != nil {
			out[a.Hashed+".gz"] = a.Gzip
		}
		if a.Brotli != nil {
			out[a.Hashed+".br"] = a.Brotli
		}
	}
	m, err := b.manifest()
	out["manifest.json"] = m
	return out, err
}

// write replaces dist and removes files of earlier builds.
func write(root string, b Bundle) error {
	files, err := b.files()
	if err != nil {
		return err
	}
	dist := filepath.Join(root, "dist")
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return fmt.Errorf("make dist: %w", err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dist, name), data, 0o644); err != nil {
			return fmt.Errorf("write asset: %w", err)
		}
	}
	return prune(dist, files)
}

func prune(dist string, keep map[string][]byte) error {
	entries, err := os.ReadDir(dist)
	if err != nil {
		return fmt.Errorf("read dist: %w", err)
	}
	for _, e := range entries {
		if _, ok := keep[e.Name()]; ok {
			continue
		}
		if err := os.Remove(filepath.Join(dist, e.Name())); err != nil {
			return fmt.Errorf("remove old asset: %w", err)
		}
	}
	return nil
}

// compare tells which committed files differ from a fresh build.
func compare(root string, b Bundle) error {
	files, err := b.files()
	if err != nil {
		return err
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, "dist", name))
		if err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("web/dist/%s is not what the sources build; run `go run ./cmd/assets`", name)
		}
	}
	return nil
}
