package identity

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"crm/internal/platform/errs"
)

// Argon2id parameters: OWASP's 19 MiB, two passes, one lane.
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonKey    = 32
	argonSalt   = 16
)

// Bounds of a password in characters. Long ones and spaces are welcome.
const (
	minPassword = 10
	maxPassword = 256
)

// checkPassword refuses what is short or what everybody tries first.
func checkPassword(password string) error {
	n := utf8.RuneCountInString(password)
	if n < minPassword || n > maxPassword {
		return errs.Field("password", "bad_length", "A password has %d to %d characters. A few words make a good one.", minPassword, maxPassword)
	}
	if commonPasswords[strings.ToLower(strings.TrimSpace(password))] {
		return errs.Field("password", "too_common", "This password is on every list of common ones. Choose another.")
	}
	return nil
}

// commonPasswords are the frequent ones that reach the minimum length.
var commonPasswords = func() map[string]bool {
	m := map[string]bool{}
	for _, p := range strings.Fields(`1234567890 0123456789 password12 password123 password1234 qwertyuiop 1q2w3e4r5t 1qaz2wsx3edc
		iloveyou123 administrator welcome123 letmein123 changeme123 football123 baseball123 superman123 princess123 sunshine123
		1111111111 0000000000 qwerty1234 qwerty12345 abcdefghij abcd123456 passw0rd123 p@ssw0rd123 trustno1trustno1 dragon12345 monkey12345`) {
		m[p] = true
	}
	return m
}()

// hashPassword returns the encoded hash with its parameters and salt.
func hashPassword(password string) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonKey)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", argonMemory, argonTime, argonLanes, enc.EncodeToString(salt), enc.EncodeToString(key))
}

// verifyPassword compares in constant time. A malformed hash matches nothing but
// costs the same.
func verifyPassword(encoded, password string) bool {
	var memory, passes uint32
	var lanes uint8
	parts := strings.Split(encoded, "$")
	ok := len(parts) == 6 && parts[1] == "argon2id"
	if ok {
		_, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes)
		ok = err == nil
	}
	if !ok {
		argon2.IDKey([]byte(password), make([]byte, argonSalt), argonTime, argonMemory, argonLanes, argonKey)
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, argonKey)
	return err1 == nil && err2 == nil && subtle.ConstantTimeCompare(got, want) == 1
}
