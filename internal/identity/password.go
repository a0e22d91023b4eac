package identity

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

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

// Bounds of a password in characters. Long ones and spaces are welcome, and no rule
// says what it is made of: such rules make passwords alike.
const (
	minPassword = 12
	maxPassword = 256
)

// checkPassword refuses what is short and what is tried first: lists of frequent
// passwords, rows of keys, and words around the person, such as name and address.
func checkPassword(password string, around ...string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case n < minPassword || n > maxPassword:
		return errs.Field("password", "bad_length", "A password has %d to %d characters. A few words make a good one.", minPassword, maxPassword)
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return errs.Field("password", "bad_text", "This password holds characters that cannot be typed. Choose another.")
	case common(password):
		return errs.Field("password", "too_common", "Passwords like this one are in every list of stolen ones. Choose another, such as four words that have nothing to do with each other.")
	case personal(password, around):
		return errs.Field("password", "too_close", "This password is mostly your name or address. Choose one that nobody who knows you would try.")
	}
	return nil
}

// hasher does the costly work, a few at a time: each takes 19 MiB, and a flood of
// sign-ins must not take all memory.
type hasher struct {
	slots chan struct{}
	count func() // told of each hash; tests count them
}

func newHasher(atOnce int) *hasher {
	return &hasher{slots: make(chan struct{}, max(2, atOnce)), count: func() {}}
}

func (h *hasher) key(password string, salt []byte, passes, memory uint32, lanes uint8) []byte {
	h.slots <- struct{}{}
	defer func() { <-h.slots }()
	h.count()
	// One form of each letter: keyboards differ in how they write é.
	return argon2.IDKey([]byte(norm.NFC.String(password)), salt, passes, memory, lanes, argonKey)
}

// hash returns the encoded hash with its parameters and salt.
func (h *hasher) hash(password string) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	key := h.key(password, salt, argonTime, argonMemory, argonLanes)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", argonMemory, argonTime, argonLanes, enc.EncodeToString(salt), enc.EncodeToString(key))
}

// verify compares in constant time. A malformed hash matches nothing but costs the
// same.
func (h *hasher) verify(encoded, password string) bool {
	var memory, passes uint32
	var lanes uint8
	parts := strings.Split(encoded, "$")
	ok := len(parts) == 6 && parts[1] == "argon2id"
	if ok {
		_, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes)
		ok = err == nil
	}
	if !ok {
		h.key(password, make([]byte, argonSalt), argonTime, argonMemory, argonLanes)
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	got := h.key(password, salt, passes, memory, lanes)
	return err1 == nil && err2 == nil && subtle.ConstantTimeCompare(got, want) == 1
}
