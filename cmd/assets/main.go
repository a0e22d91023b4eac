// Command assets builds web/dist from the sources beside it: styles and script
// bundled by esbuild's Go API, icons gathered into one sprite, fonts copied, all
// named by content and packed with gzip and brotli. It prints the packed sizes
// and exits 1 when one is over its budget, 2 when it was called wrongly.
//
//	go run ./cmd/assets           # build
//	go run ./cmd/assets -check    # only compare with web/dist
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	root := flag.String("web", "web", "folder with css, src, icons, fonts and static")
	check := flag.Bool("check", false, "compare with what is committed instead of writing")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	bundle, err := Build(root)
	if err != nil {
		return err
	}
	report(os.Stdout, bundle)
	if err := overBudget(bundle); err != nil {
		return err
	}
	if check {
		return compare(root, bundle)
	}
	return write(root, bundle)
}
