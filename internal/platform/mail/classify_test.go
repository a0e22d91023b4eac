package mail

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	cases := []struct {
		step     Step
		code     int
		enhanced string
		want     Class
	}{
		{StepRcpt, 550, "5.1.1", Permanent},
		{StepRcpt, 550, "5.2.1", Permanent},
		{StepRcpt, 552, "5.2.2", Permanent},
		{StepAnswer, 550, "5.1.1", Permanent},
		{StepRcpt, 550, "", Permanent},
		{StepRcpt, 553, "", Permanent},
		{StepRcpt, 550, "5.0.0", Permanent},
		{StepAnswer, 550, "", Block},
		{StepAnswer, 554, "", Block},
		{StepRcpt, 554, "", Block},
		{StepRcpt, 550, "5.7.1", Block},
		{StepAnswer, 550, "5.7.26", Block},
		{StepAnswer, 552, "5.3.4", Block},
		{StepMail, 552, "5.3.4", Block},
		{StepMail, 552, "", Block},
		{StepRcpt, 552, "5.2.3", Block},
		{StepAnswer, 554, "5.6.0", Block},
		{StepMail, 550, "5.7.1", Block},
		{StepMail, 550, "5.1.1", Config},
		{StepMail, 553, "5.1.8", Config},
		{StepRcpt, 550, "5.1.8", Config},
		{StepMail, 530, "5.7.0", Config},
		{StepRcpt, 530, "", Config},
		{StepAuth, 535, "5.7.8", Config},
		{StepAuth, 534, "5.7.9", Config},
		{StepAuth, 454, "4.7.0", RouteBusy},
		{StepStartTLS, 502, "", Config},
		{StepGreeting, 554, "5.7.1", Block},
		{StepGreeting, 554, "", Config},
		{StepGreeting, 421, "", RouteBusy},
		{StepHello, 550, "5.7.1", Block},
		{StepHello, 501, "", Config},
		{StepMail, 421, "4.7.28", RouteBusy},
		{StepAnswer, 421, "4.3.0", RouteBusy},
		{StepRcpt, 450, "4.7.1", RouteBusy},
		{StepRcpt, 451, "4.7.650", RouteBusy},
		{StepMail, 454, "", RouteBusy},
		{StepAnswer, 454, "4.0.0", RouteBusy},
		{StepRcpt, 450, "4.2.1", Temporary},
		{StepRcpt, 451, "", Temporary},
		{StepRcpt, 452, "4.2.2", Temporary},
		{StepAnswer, 451, "4.3.0", Temporary},
		{StepReset, 503, "5.5.1", Temporary},
	}
	for _, c := range cases {
		if got := classify(c.step, c.code, c.enhanced); got != c.want {
			t.Errorf("%s %d %s: got %s, want %s", c.step, c.code, c.enhanced, got, c.want)
		}
	}
}

func TestReadReply(t *testing.T) {
	t.Parallel()
	read := func(s string) (reply, error) {
		return readReply(bufio.NewReaderSize(strings.NewReader(s), readBuffer))
	}
	r, err := read("550-5.1.1 The account\r\n550 5.1.1 does not \x07exist\xff\r\nnext")
	if err != nil || r.code != 550 || r.enhanced != "5.1.1" || r.text != "The account does not  exist?" {
		t.Errorf("two lines: %+v, %v", r, err)
	}
	if r, err = read("250\r\n"); err != nil || r.code != 250 || r.text != "" {
		t.Errorf("bare code: %+v, %v", r, err)
	}
	if r, err = read("250 10.1.1 is our address\n"); err != nil || r.enhanced != "" {
		t.Errorf("not an enhanced code: %+v, %v", r, err)
	}
	if r, err = read("250 4.7.1 differs\n"); err != nil || r.enhanced != "" {
		t.Errorf("enhanced code of another kind: %+v, %v", r, err)
	}
	if r, err = read("550 " + strings.Repeat("é", 2000) + "\r\n"); err != nil || len(r.text) > maxReplyText {
		t.Errorf("long text: %d bytes, %v", len(r.text), err)
	}
	for _, bad := range []string{
		"", "25", "abc hello\r\n", "250_x\r\n", "999 x\r\n", "100 x\r\n", "250-a\r\n550 b\r\n", "250 no end",
		strings.Repeat("x", 10000), strings.Repeat("250-x\r\n", 1000),
	} {
		if r, err := read(bad); err == nil {
			t.Errorf("%.20q: got %+v", bad, r)
		}
	}
}

func TestStuff(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                       ".\r\n",
		"a":                      "a\r\n.\r\n",
		"a\r\n":                  "a\r\n.\r\n",
		"a\r\n.\r\nb":            "a\r\n..\r\nb\r\n.\r\n",
		".":                      "..\r\n.\r\n",
		"a\n.\nb\n":              "a\r\n..\r\nb\r\n.\r\n",
		"a\r.\rMAIL FROM:<x>":    "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n",
		"a\r\n\n.\r\r\n":         "a\r\n\r\n..\r\n\r\n.\r\n",
		"\r\n\r\n":               "\r\n\r\n.\r\n",
		"..two\r\n...three\r\n.": "...two\r\n....three\r\n..\r\n.\r\n",
	} {
		var buf bytes.Buffer
		stuff(&buf, []byte(in))
		if got := buf.String(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add("250-a\r\n250 b\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := readReply(bufio.NewReaderSize(strings.NewReader(s), readBuffer))
		if err == nil && (r.code < 200 || r.code > 599 || len(r.text) > maxReplyText) {
			t.Fatalf("%+v", r)
		}
	})
}

func FuzzStuff(f *testing.F) {
	f.Add([]byte("a\r\n.\r\nb"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var buf bytes.Buffer
		stuff(&buf, raw)
		out := buf.Bytes()
		if i := bytes.Index(append([]byte("\r\n"), out...), []byte("\r\n.\r\n")); i+3 != len(out) {
			t.Fatalf("the final dot is at %d of %d: %q", i, len(out), out)
		}
		for i, b := range out {
			if b == '\n' && (i == 0 || out[i-1] != '\r') || b == '\r' && (i+1 == len(out) || out[i+1] != '\n') {
				t.Fatalf("bare line break at %d", i)
			}
		}
	})
}
