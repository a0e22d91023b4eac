package identity

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// commonText is 30,000 frequent passwords, most frequent first; see commons/LICENSE.
//
//go:embed commons/passwords.txt
var commonText string

var commonPasswords = sync.OnceValue(func() map[string]struct{} {
	out := make(map[string]struct{}, 30_000)
	for line := range strings.Lines(commonText) {
		out[strings.TrimSpace(line)] = struct{}{}
	}
	return out
})

// rowsOfKeys are what fingers do without a thought, both ways.
var rowsOfKeys = []string{"012345678901234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "1q2w3e4r5t6y7u8i9o0p"}

// common tells passwords that guessing begins with. It looks through the usual
// disguises: capitals, digits and signs around a word, letters written as digits, and
// repetition.
func common(password string) bool {
	p := strings.ToLower(strings.TrimSpace(password))
	for _, form := range []string{p, unit(p), core(p), plainLetters(p), plainLetters(core(p)), unit(core(p))} {
		if mostly(form, p) && listed(form) {
			return true
		}
	}
	return false
}

func listed(s string) bool {
	if _, ok := commonPasswords()[s]; ok || utf8.RuneCountInString(s) <= 2 {
		return true
	}
	for _, row := range rowsOfKeys {
		if strings.Contains(row, s) || strings.Contains(reverse(row), s) {
			return true
		}
	}
	return false
}

// mostly tells whether what was taken off a form adds little to it: at most five
// characters, unless it was a repetition.
func mostly(form, whole string) bool {
	f, w := utf8.RuneCountInString(form), utf8.RuneCountInString(whole)
	return f > 0 && (w-f <= 5 || w%f == 0 && strings.Repeat(form, w/f) == whole || f <= 2)
}

// core is what is left without the digits and signs at both ends.
func core(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
}

// unit is the part that a repetition repeats, or s.
func unit(s string) string {
	for n := 1; n <= len(s)/2; n++ {
		if len(s)%n == 0 && strings.Repeat(s[:n], len(s)/n) == s {
			return s[:n]
		}
	}
	return s
}

var letters = strings.NewReplacer("0", "o", "1", "l", "3", "e", "4", "a", "@", "a", "5", "s", "$", "s", "7", "t", "!", "i")

func plainLetters(s string) string { return letters.Replace(s) }

func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// personal tells whether the password is one of the words around the person with a
// few characters added.
func personal(password string, around []string) bool {
	p := strings.ToLower(password)
	for _, text := range around {
		local, domain, _ := strings.Cut(strings.ToLower(text), "@")
		for _, word := range []string{strings.ToLower(text), local, domain, strings.ReplaceAll(local, " ", "")} {
			if len(word) >= 4 && strings.Contains(p, word) && len(p)-len(word) <= 5 {
				return true
			}
		}
	}
	return false
}
