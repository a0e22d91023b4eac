package e2e

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Browser is one tab of a real Chromium. It collects what the page complains
// about, so that a test can insist on silence.
type Browser struct {
	Ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// NewBrowser starts a headless Chromium with a profile of its own.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("Chromium is not installed; install it with: apt-get install chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("window-size", "1360,900"))
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() { cancel(); cancelAlloc() })
	b := &Browser{Ctx: ctx}
	// The first call starts the browser and must not carry a deadline.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	go b.listen()
	return b
}

// listen keeps errors the page logs. Refused requests (4xx) are logged as errors
// by the browser and are part of some tests.
func (b *Browser) listen() {
	for msg, err := range chromedp.Console(b.Ctx) {
		if err != nil {
			return
		}
		wrong := msg.Type == chromedp.ConsoleError || msg.Type == chromedp.ConsoleException
		// Vibration is refused because the finger of a test is not a person's.
		if !wrong || strings.Contains(msg.Text, "Failed to load resource") || strings.Contains(msg.Text, "navigator.vibrate") {
			continue
		}
		b.mu.Lock()
		b.complaints = append(b.complaints, msg.Text)
		b.mu.Unlock()
	}
}

// Complaints are script errors and policy violations so far.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.complaints...)
}

const stepLimit = 30 * time.Second

// Do runs steps with a deadline of their own.
func (b *Browser) Do(t testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, stepLimit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		where, _ := chromedp.Run(b.Ctx, chromedp.Location())
		t.Fatalf("browser at %s: %v", where, err)
	}
}

// Eval runs an expression in the page and returns its value.
func Eval[T any](t testing.TB, b *Browser, expression string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, stepLimit)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// Text is the text of the first element that matches.
func (b *Browser) Text(t testing.TB, selector string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, stepLimit)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Text(selector))
	if err != nil {
		t.Fatalf("text of %s: %v", selector, err)
	}
	return s
}

// SignIn goes through the sign-in page.
func (b *Browser) SignIn(t testing.TB, url, email, password string) {
	t.Helper()
	b.Do(t, chromedp.Navigate(url+"/sign-in"), chromedp.WaitVisible(`input[name="email"]`),
		chromedp.SendKeys(`input[name="email"]`, email), chromedp.SendKeys(`input[name="password"]`, password), chromedp.Submit(`input[name="password"]`))
	Until(t, stepLimit, "signed in", func() bool {
		where, err := chromedp.Run(b.Ctx, chromedp.Location())
		return err == nil && !strings.Contains(where, "/sign-in")
	})
}

// Screenshot takes a picture of the visible page.
func (b *Browser) Screenshot(t testing.TB) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, stepLimit)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	return png
}
