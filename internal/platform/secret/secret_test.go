package secret_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"crm/internal/platform/secret"
)

func newBox(t *testing.T, keys ...string) *secret.Box {
	t.Helper()
	box, err := secret.New(keys)
	if err != nil {
		t.Fatalf("new box: %v", err)
	}
	return box
}

func seal(t *testing.T, box *secret.Box, aad, plain string) []byte {
	t.Helper()
	sealed, err := box.Seal(aad, []byte(plain))
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	return sealed
}

func TestSealedValueOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	box := newBox(t, secret.Generate())
	place := secret.AAD("tenant-a", "providers", "password", "row-1")
	sealed := seal(t, box, place, "hunter2")

	plain, err := box.Open(place, sealed)
	if err != nil || string(plain) != "hunter2" {
		t.Fatalf("open in its place: %q, %v", plain, err)
	}
	for _, other := range []string{
		secret.AAD("tenant-b", "providers", "password", "row-1"),
		secret.AAD("tenant-a", "webhooks", "password", "row-1"),
		secret.AAD("tenant-a", "providers", "secret", "row-1"),
		secret.AAD("tenant-a", "providers", "password", "row-2"),
		"",
	} {
		if _, err := box.Open(other, sealed); !errors.Is(err, secret.ErrTampered) {
			t.Errorf("open at %q: got %v, want ErrTampered", other, err)
		}
	}
}

func TestEveryChangedByteIsRefused(t *testing.T) {
	t.Parallel()
	box := newBox(t, secret.Generate())
	sealed := seal(t, box, "place", "value")
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := box.Open("place", changed); err == nil {
			t.Errorf("byte %d changed, still opened", i)
		}
	}
	for n := range sealed {
		if _, err := box.Open("place", sealed[:n]); err == nil {
			t.Errorf("cut to %d bytes, still opened", n)
		}
	}
}

func TestSameValueSealsDifferentlyEachTime(t *testing.T) {
	t.Parallel()
	box := newBox(t, secret.Generate())
	if bytes.Equal(seal(t, box, "p", "v"), seal(t, box, "p", "v")) {
		t.Error("two sealed values are equal: the nonce is not random")
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	oldKey, newKey := secret.Generate(), secret.Generate()
	before := newBox(t, oldKey)
	during := newBox(t, newKey, oldKey)
	after := newBox(t, newKey)
	sealed := seal(t, before, "p", "v")

	if before.Stale(sealed) || !during.Stale(sealed) {
		t.Error("stale must be false under its own key and true under a newer one")
	}
	plain, err := during.Open("p", sealed)
	if err != nil || string(plain) != "v" {
		t.Fatalf("open with the old key second: %q, %v", plain, err)
	}
	if _, err := after.Open("p", sealed); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("open without the old key: got %v, want ErrUnknownKey", err)
	}
	again := seal(t, during, "p", string(plain))
	if plain, err := after.Open("p", again); err != nil || string(plain) != "v" {
		t.Errorf("open the newly sealed value: %q, %v", plain, err)
	}
	if during.KeyID() != after.KeyID() || during.KeyID() == before.KeyID() {
		t.Error("key id must follow the first key of the list")
	}
}

func TestWeakKeysAreRefusedWithASentence(t *testing.T) {
	t.Parallel()
	good := secret.Generate()
	cases := map[string]struct {
		keys []string
		want string
	}{
		"none":         {nil, "CRM_SECRET_KEY is empty"},
		"blank":        {[]string{""}, "blank"},
		"spaces":       {[]string{"    "}, "blank"},
		"stray comma":  {secret.ParseKeys("," + good), "entry 1 of 2"},
		"short":        {[]string{"changeme"}, "only 8 characters"},
		"one letter":   {[]string{strings.Repeat("a", 64)}, "same few characters"},
		"listed twice": {[]string{good, good}, "twice"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := secret.New(c.keys)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want it to contain %q", err, c.want)
			}
			for _, key := range c.keys {
				if len(key) > 8 && strings.Contains(err.Error(), key) {
					t.Error("the message shows the key")
				}
			}
		})
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	if got := secret.ParseKeys("  "); len(got) != 0 {
		t.Errorf("blank list: %q", got)
	}
	if got := secret.ParseKeys(" a , b"); len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Errorf("two keys: %q", got)
	}
}

func TestAADIsUnambiguous(t *testing.T) {
	t.Parallel()
	if secret.AAD("a", "bc") == secret.AAD("ab", "c") || secret.AAD("a", "") == secret.AAD("a") {
		t.Error("different places share associated data")
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^crm_[0-9A-Za-z]{32}$`)
	seen := map[string]bool{}
	for range 1000 {
		plain, hash := secret.Token("crm_")
		if !shape.MatchString(plain) || seen[plain] {
			t.Fatalf("token %q malformed or repeated", plain)
		}
		seen[plain] = true
		if !secret.Equal(hash, secret.Hash(plain)) || len(hash) != 32 {
			t.Fatal("hash does not match its token")
		}
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	if !secret.Equal([]byte("a"), []byte("a")) || secret.Equal([]byte("a"), []byte("b")) || secret.Equal([]byte("a"), []byte("ab")) {
		t.Error("comparison is wrong")
	}
	if secret.Equal(nil, nil) || secret.Equal([]byte{}, []byte{}) {
		t.Error("two missing secrets must not match")
	}
}

func FuzzOpen(f *testing.F) {
	box, err := secret.New([]string{"0123456789abcdef0123456789abcdef"})
	if err != nil {
		f.Fatal(err)
	}
	good, err := box.Seal("p", []byte("v"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := box.Open("p", sealed)
		if err == nil && string(plain) != "v" {
			t.Fatalf("opened something that was never sealed: %q", plain)
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	box, err := secret.New([]string{secret.Generate()})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		sealed, _ := box.Seal("place", []byte("a password of some length"))
		if _, err := box.Open("place", sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func TestMarksHoldForTheirKeyPurposeAndBytes(t *testing.T) {
	t.Parallel()
	oldKey, newKey := secret.Generate(), secret.Generate()
	before, during, after := newBox(t, oldKey), newBox(t, newKey, oldKey), newBox(t, newKey)
	id, mark := before.Mark("seal", []byte("data"))
	if err := during.CheckMark("seal", id, []byte("data"), mark); err != nil {
		t.Errorf("under a rotated key: %v", err)
	}
	if err := after.CheckMark("seal", id, []byte("data"), mark); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("without its key: %v", err)
	}
	if err := before.CheckMark("seal", "zz", []byte("data"), mark); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("with nonsense for an id: %v", err)
	}
	for _, c := range []struct{ purpose, data string }{{"seal", "date"}, {"sea", "ldata"}, {"other", "data"}} {
		if err := before.CheckMark(c.purpose, id, []byte(c.data), mark); !errors.Is(err, secret.ErrTampered) {
			t.Errorf("%s %s: %v", c.purpose, c.data, err)
		}
	}
}
