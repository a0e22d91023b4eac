package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238 as every authenticator app has it
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"

	"crm/internal/platform/secret"
)

// RFC 6238 as all apps understand it: SHA-1, six digits, thirty seconds.
const (
	totpStep   = 30 * time.Second
	totpDigits = 1_000_000
	totpSeed   = 20 // bytes
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

func newSeed() []byte {
	seed := make([]byte, totpSeed)
	_, _ = rand.Read(seed) // never fails
	return seed
}

// totpCode is the code of a step (RFC 4226, 5.3).
func totpCode(seed []byte, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step)) //nolint:gosec // steps of our time are positive
	m := hmac.New(sha1.New, seed)
	m.Write(counter[:])
	sum := m.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%totpDigits)
}

// totpMatch finds the step whose code it is: the current one, or a neighbour for
// clocks that differ. All three are compared, whichever matches.
func totpMatch(seed []byte, code string, now time.Time) (int64, bool) {
	current := now.Unix() / int64(totpStep.Seconds())
	found, ok := int64(0), false
	for step := current - 1; step <= current+1; step++ {
		if secret.Equal([]byte(totpCode(seed, step)), []byte(code)) {
			found, ok = step, true
		}
	}
	return found, ok
}

// totpURL is what the QR code says.
func totpURL(seed []byte, issuer, account string) string {
	q := url.Values{"secret": {base32Text.EncodeToString(seed)}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	// Apps read + as itself, so spaces are written as %20.
	return "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// isCode tells a code of the app from a recovery code.
func isCode(s string) bool {
	return len(s) == 6 && strings.Trim(s, "0123456789") == ""
}

// plainCode drops what people put between the characters.
func plainCode(s string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(strings.TrimSpace(s)))
}
