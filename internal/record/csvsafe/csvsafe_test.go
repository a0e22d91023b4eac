package csvsafe_test

import (
	"testing"

	"pgregory.net/rapid"

	"crm/internal/record/csvsafe"
)

func TestWhatIsGuarded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		"plain":                      "plain",
		"=1+1":                       "'=1+1",
		"+1+1":                       "'+1+1",
		"-1+1":                       "'-1+1",
		"@SUM(A1)":                   "'@SUM(A1)",
		"\t=1":                       "'\t=1",
		"\r=1":                       "'\r=1",
		"\tharmless":                 "'\tharmless",
		"  =1":                       "'  =1",
		"\u00a0=1":                   "'\u00a0=1",
		"\u200b=1":                   "'\u200b=1",
		"\ufeff=1":                   "'\ufeff=1",
		"\n@x":                       "'\n@x",
		"＝1+1":                       "'＝1+1",
		"＋1":                         "'＋1",
		"－1":                         "'－1",
		"＠SUM":                       "'＠SUM",
		"'=1":                        "''=1",
		"''=1":                       "'''=1",
		"'tis":                       "'tis",
		"-":                          "'-",
		"--1":                        "'--1",
		"-12.50":                     "-12.50",
		"-1,234.50":                  "-1,234.50",
		"+493012345678":              "+493012345678",
		"+49 30 12":                  "'+49 30 12",
		"-1..2":                      "'-1..2",
		"-5.":                        "'-5.",
		"=cmd|' /C calc'!A0":         "'=cmd|' /C calc'!A0",
		"a=1":                        "a=1",
		"(=1)":                       "(=1)",
		`"=1"`:                       `"=1"`,
		"ünlaut":                     "ünlaut",
		"'":                          "'",
		"'+49":                       "''+49",
		"'-12":                       "''-12",
		"=HYPERLINK(\"http://x\",1)": "'=HYPERLINK(\"http://x\",1)",
	} {
		if got := csvsafe.Guard(text); got != want {
			t.Errorf("Guard(%q) = %q, want %q", text, got, want)
		}
		if got := csvsafe.Unguard(csvsafe.Guard(text)); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
	}
}

func TestGuardedTextsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SampledFrom([]rune("'=+-@＝ \t\r\n\u200b19.,aé"))
		text := string(rapid.SliceOfN(alphabet, 0, 8).Draw(t, "text"))
		if got := csvsafe.Unguard(csvsafe.Guard(text)); got != text {
			t.Fatalf("%q comes back as %q", text, got)
		}
	})
}

func TestOthersMarksAreTakenOff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"'+4930": "+4930", "'-12": "-12", "'=x": "=x", "'x": "'x", "''x": "''x"} {
		if got := csvsafe.Unguard(text); got != want {
			t.Errorf("Unguard(%q) = %q, want %q", text, got, want)
		}
	}
}
