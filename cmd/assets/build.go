package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/evanw/esbuild/pkg/api"
)

// Asset is one built file: its plain name, its name by content, and its bytes.
type Asset struct {
	Name   string // "app.css"
	Hashed string // "app.3f9c2b1a.css"
	Data   []byte
	Gzip   []byte // nil when packing does not help
	Brotli []byte
}

// Bundle is everything that goes into dist.
type Bundle struct {
	Build  string
	Assets []Asset
}

// Build makes the whole bundle in memory. The order matters: files that others
// refer to (fonts, icons) get their hashed names first.
func Build(root string) (Bundle, error) {
	var b Bundle
	if err := b.addFolder(filepath.Join(root, "fonts"), ".woff2"); err != nil {
		return b, err
	}
	if err := b.addFolder(filepath.Join(root, "static"), ".svg", ".png"); err != nil {
		return b, err
	}
	if err := b.addSprite(filepath.Join(root, "icons")); err != nil {
		return b, err
	}
	if err := b.addLicences(root); err != nil {
		return b, err
	}
	if err := b.addText(filepath.Join(root, "static", "app.webmanifest")); err != nil {
		return b, err
	}
	if err := b.addBundled(filepath.Join(root, "css", "app.css")); err != nil {
		return b, err
	}
	if err := b.addBundled(filepath.Join(root, "src", "core.js")); err != nil {
		return b, err
	}
	b.seal()
	return b, nil
}

// add names a file by its content. Eight hex digits are plenty for a dozen files.
func (b *Bundle) add(name string, data []byte) {
	sum := sha256.Sum256(data)
	ext := filepath.Ext(name)
	a := Asset{Name: name, Data: data}
	a.Hashed = strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:4]) + ext
	if packs(ext) {
		a.Gzip, a.Brotli = gz(data), br(data)
	}
	b.Assets = append(b.Assets, a)
}

func packs(ext string) bool { return ext != ".woff2" && ext != ".png" }

func (b *Bundle) addFolder(folder string, exts ...string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("read %s: %w", folder, err)
	}
	for _, e := range entries {
		for _, ext := range exts {
			if filepath.Ext(e.Name()) != ext {
				continue
			}
			data, err := os.ReadFile(filepath.Join(folder, e.Name()))
			if err != nil {
				return fmt.Errorf("read asset: %w", err)
			}
			b.add(e.Name(), data)
		}
	}
	return nil
}

// addText takes a file in which asset("name") stands for a hashed address.
func (b *Bundle) addText(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	b.add(filepath.Base(path), b.link(data))
	return nil
}

// addBundled runs esbuild without lowering: the browsers we serve know nesting,
// layers and light-dark(), and lowering would double the styles.
func (b *Bundle) addBundled(entry string) error {
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{entry}, Bundle: true, Write: false,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
		Target: api.ESNext, Format: api.FormatESModule, LegalComments: api.LegalCommentsNone,
		External: []string{"/assets/*"}, LogLevel: api.LogLevelSilent, Outdir: "out",
	})
	if len(result.Errors) > 0 {
		return errors.New(strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage}), "\n"))
	}
	b.add(filepath.Base(entry), b.link(result.OutputFiles[0].Contents))
	return nil
}

// link replaces /assets/name by the hashed address of every asset built so far.
func (b *Bundle) link(data []byte) []byte {
	for _, a := range b.Assets {
		data = bytes.ReplaceAll(data, []byte("/assets/"+a.Name), []byte("/assets/"+a.Hashed))
	}
	return data
}

// seal sorts the files and names the build after all of them together.
func (b *Bundle) seal() {
	sort.Slice(b.Assets, func(i, j int) bool { return b.Assets[i].Name < b.Assets[j].Name })
	h := sha256.New()
	for _, a := range b.Assets {
		h.Write([]byte(a.Hashed + "\n"))
	}
	b.Build = hex.EncodeToString(h.Sum(nil)[:6])
}

func (b Bundle) manifest() ([]byte, error) {
	files := map[string]string{}
	for _, a := range b.Assets {
		files[a.Name] = a.Hashed
	}
	out, err := json.MarshalIndent(map[string]any{"build": b.Build, "files": files}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return append(out, '\n'), nil
}

func gz(data []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is a valid constant
	_, _ = w.Write(data)                                    // a bytes.Buffer takes everything
	_ = w.Close()
	return smaller(out.Bytes(), data)
}

func br(data []byte) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, brotli.BestCompression)
	_, _ = w.Write(data)
	_ = w.Close()
	return smaller(out.Bytes(), data)
}

func smaller(packed, plain []byte) []byte {
	if len(packed) >= len(plain) {
		return nil
	}
	return packed
}
