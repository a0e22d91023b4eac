package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
)

const (
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// tokenLength in base62 characters is 190 bits: above the 160 asked for session ids and keys.
	tokenLength = 32
)

// Token makes a random credential: prefix followed by 32 base62 characters (190 bits). The plain text is shown to its
// owner once; only hash (SHA-256 of the whole text, prefix included, 32 bytes) is stored. The prefix, such as "crm_",
// lets people and secret scanners recognise what they found.
func Token(prefix string) (plain string, hash []byte) {
	plain = prefix + randomBase62(tokenLength)
	return plain, Hash(plain)
}

// Hash returns the SHA-256 of a token (32 bytes), the form in which tokens are stored and looked up. It is only for
// random tokens: a password chosen by a person would be guessed from it.
func Hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Equal compares two secrets, hashes or signatures without revealing by its duration where they differ. Two empty
// values are not equal: a secret that got lost from a row must never match a request that carries none.
func Equal(a, b []byte) bool {
	return len(a) > 0 && subtle.ConstantTimeCompare(a, b) == 1
}

// randomBase62 draws n characters without bias: 248 is the largest multiple of 62 in a byte, higher values are drawn
// again.
func randomBase62(n int) string {
	out := make([]byte, 0, n)
	var pool [64]byte
	for len(out) < n {
		rand.Read(pool[:]) // documented never to fail
		for _, v := range pool {
			if v < 248 && len(out) < n {
				out = append(out, base62[v%62])
			}
		}
	}
	return string(out)
}
