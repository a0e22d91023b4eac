package vcard_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"crm/internal/platform/vcard"
)

func read(t *testing.T, text string) []vcard.Card {
	t.Helper()
	r := vcard.NewReader(strings.NewReader(text))
	var out []vcard.Card
	for {
		c, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
}

func TestCardsInTheWild(t *testing.T) {
	t.Parallel()
	cards := read(t, "\xef\xbb\xbfBEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg=\r\n;;;\r\nTEL;WORK;VOICE:+49 30 1\r\nPHOTO;ENCODING=BASE64;JPEG:/9j/4AAQ\r\n /9j/\r\nEND:VCARD\r\n\r\n"+
		"begin:vcard\nversion:3.0\nFN:Ada \\, Lovelace\\nx\nitem1.EMAIL;type=INTERNET;type=pref:ada@exa\n mple.com\nADR;TYPE=\"home,work\":;;1 Main\\; St;Köln;;1;DE\nEND:VCARD\n"+
		"BEGIN:VCARD\nVERSION:4.0\nEMAIL;PREF=1;TYPE=home:b@example.com\nORG:A\xe4\nTEL;VALUE=uri;TYPE=\"cell,voice\":tel:+4930\n")
	if len(cards) != 3 {
		t.Fatalf("%d cards", len(cards))
	}
	if got := cards[0].All("N")[0].Parts(); fmt.Sprintf("%q", got) != `["Müller" "Jörg" "" "" ""]` || len(cards[0].All("PHOTO")) != 0 {
		t.Errorf("2.1: %q, %v", got, cards[0])
	}
	if p := cards[0].All("TEL")[0]; !p.Is("work") || p.Text() != "+49 30 1" {
		t.Errorf("2.1 phone: %+v", p)
	}
	if c := cards[1]; c.First("FN") != "Ada , Lovelace\nx" || c.First("EMAIL") != "ada@example.com" || !c.All("EMAIL")[0].Is("pref") || c.All("ADR")[0].Parts()[2] != "1 Main; St" {
		t.Errorf("3.0: %+v", c)
	}
	if c := cards[2]; !c.All("EMAIL")[0].Is("pref") || c.First("ORG") != "Aä" || !c.All("TEL")[0].Is("cell") {
		t.Errorf("4.0: %+v", c)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("漢字;,\\\n", 40)
	var out bytes.Buffer
	if err := vcard.Write(&out, vcard.Card{{Name: "N", Value: vcard.Structured("Müller", long)}, {Name: "EMAIL", Types: []string{"work", "pref"}, Value: "a@example.com"}}); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSuffix(out.String(), "\r\n"), "\r\n") {
		if len(line) > 75 || !utf8.ValidString(line) {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
	if !vcard.Begins(out.Bytes()) || vcard.Begins([]byte("name,begin:vcard")) {
		t.Error("a file of cards is not known as one")
	}
	c := read(t, out.String())[0]
	if got := c.All("N")[0].Parts(); got[0] != "Müller" || got[1] != long {
		t.Errorf("%q", got)
	}
	if !c.All("EMAIL")[0].Is("work") {
		t.Errorf("%+v", c)
	}
}

func TestNoCardIsEndless(t *testing.T) {
	t.Parallel()
	r := vcard.NewReader(io.MultiReader(strings.NewReader("BEGIN:VCARD\nNOTE:"), endless{}))
	if _, err := r.Read(); !errors.Is(err, vcard.ErrTooLong) {
		t.Error(err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func FuzzRead(f *testing.F) {
	f.Add("BEGIN:VCARD\nN;ENCODING=QUOTED-PRINTABLE:=\n=\nEND:VCARD\n")
	f.Add("BEGIN:VCARD\n:\n;=:\\\nADR:\\;\\\nEND:VCARD")
	f.Fuzz(func(_ *testing.T, text string) {
		r := vcard.NewReader(strings.NewReader(text))
		for {
			c, err := r.Read()
			if err != nil {
				return
			}
			for _, p := range c {
				p.Parts()
				p.Text()
			}
		}
	})
}
