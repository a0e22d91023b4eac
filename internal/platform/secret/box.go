package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	sealedVersion = 1
	keyIDSize     = 8
	nonceSize     = 12
	tagSize       = 16
	headerSize    = 1 + keyIDSize

	// minKeyLength is in characters of the configured text; 32 hexadecimal digits are the least that still carries
	// 128 bits.
	minKeyLength = 32
	// minDistinct catches the keys people type to get past a length check, such as one letter held down.
	minDistinct = 8
)

var (
	// ErrUnknownKey is returned by [Box.Open] when the value was sealed with a root key that is not in the list.
	ErrUnknownKey = errors.New("sealed with a key that is not in CRM_SECRET_KEY; put the old key back at the end of the list")
	// ErrTampered is returned by [Box.Open] when the bytes were changed or belong to another place (other
	// associated data). The two cases cannot be told apart, by design of the cipher.
	ErrTampered = errors.New("sealed value was changed or belongs to another record; enter the secret again")
)

// Box seals and opens small values. It is immutable and safe for concurrent use.
type Box struct {
	current *key
	byID    map[[keyIDSize]byte]*key
}

type key struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
	mac  []byte
}

// New builds a Box from the root keys in CRM_SECRET_KEY, first one current. It refuses an empty list and keys that are
// blank, shorter than 32 characters, obviously not random, or given twice; the error is a sentence for the person who
// configures the program and never contains the key.
func New(keys []string) (*Box, error) {
	if len(keys) == 0 {
		return nil, errors.New("CRM_SECRET_KEY is empty: set it to a long random text, for example 32 random bytes in base64")
	}
	box := &Box{byID: make(map[[keyIDSize]byte]*key, len(keys))}
	for i, root := range keys {
		k, err := newKey(root)
		if err != nil {
			return nil, fmt.Errorf("CRM_SECRET_KEY, entry %d of %d: %w", i+1, len(keys), err)
		}
		if _, twice := box.byID[k.id]; twice {
			return nil, fmt.Errorf("CRM_SECRET_KEY, entry %d of %d: the same key is listed twice; remove one", i+1, len(keys))
		}
		box.byID[k.id] = k
		if i == 0 {
			box.current = k
		}
	}
	return box, nil
}

// ParseKeys splits the comma list of CRM_SECRET_KEY. Blank entries are kept so that [New] can refuse them: a stray
// comma in front would otherwise silently change which key is current. An empty text gives an empty list.
func ParseKeys(list string) []string {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	keys := strings.Split(list, ",")
	for i := range keys {
		keys[i] = strings.TrimSpace(keys[i])
	}
	return keys
}

// Generate returns a new root key: 32 random bytes as 43 characters of URL-safe base64, without commas or quotes so it
// can stand in an environment file.
func Generate() string {
	raw := make([]byte, 32)
	rand.Read(raw) // documented never to fail
	return base64.RawURLEncoding.EncodeToString(raw)
}

// AAD joins the parts of a place, usually tenant, table, column and row, into associated data. Each part is prefixed
// with its length: without that ("a", "bc") and ("ab", "c") would name the same place.
func AAD(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString(strconv.Itoa(len(part)))
		b.WriteByte(':')
		b.WriteString(part)
	}
	return b.String()
}

// KeyID returns the id of the current root key in hexadecimal (16 digits). It is not secret: store it beside sealed
// rows or show it to a person to tell which key is in use.
func (b *Box) KeyID() string { return hex.EncodeToString(b.current.id[:]) }

// Seal encrypts plain for the place named by aad under the current root key. The result is 37 bytes longer than plain.
func (b *Box) Seal(aad string, plain []byte) ([]byte, error) {
	sealed := make([]byte, headerSize+nonceSize, headerSize+nonceSize+len(plain)+tagSize)
	sealed[0] = sealedVersion
	copy(sealed[1:], b.current.id[:])
	nonce := sealed[headerSize:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("draw nonce: %w", err)
	}
	return b.current.aead.Seal(sealed, nonce, plain, associated(sealed[:headerSize], aad)), nil
}

// Open decrypts what [Box.Seal] made for the same aad. Errors are [ErrUnknownKey], [ErrTampered], or tell that the
// bytes were never sealed by this package.
func (b *Box) Open(aad string, sealed []byte) ([]byte, error) {
	k, err := b.keyOf(sealed)
	if err != nil {
		return nil, err
	}
	nonce := sealed[headerSize : headerSize+nonceSize]
	plain, err := k.aead.Open(nil, nonce, sealed[headerSize+nonceSize:], associated(sealed[:headerSize], aad))
	if err != nil {
		return nil, ErrTampered
	}
	return plain, nil
}

// Stale reports whether sealed was made with another root key than the current one and should be opened and sealed
// again by the rotation job.
func (b *Box) Stale(sealed []byte) bool {
	k, err := b.keyOf(sealed)
	return err != nil || k != b.current
}

func (b *Box) keyOf(sealed []byte) (*key, error) {
	if len(sealed) < headerSize+nonceSize+tagSize {
		return nil, fmt.Errorf("open sealed value: %d bytes are too few to be one", len(sealed))
	}
	if sealed[0] != sealedVersion {
		return nil, fmt.Errorf("open sealed value: unknown format version %d; was it written by a newer release?", sealed[0])
	}
	k, ok := b.byID[[keyIDSize]byte(sealed[1:headerSize])]
	if !ok {
		return nil, ErrUnknownKey
	}
	return k, nil
}

// associated binds the header too, so that version and key id cannot be swapped under an intact ciphertext.
func associated(header []byte, aad string) []byte {
	bound := make([]byte, 0, len(header)+len(aad))
	return append(append(bound, header...), aad...)
}

// newKey derives the cipher key and its public id from one root key under different labels: the id must reveal
// nothing about the key.
func newKey(root string) (*key, error) {
	root = strings.TrimSpace(root)
	if err := checkRoot(root); err != nil {
		return nil, err
	}
	raw, err := hkdf.Key(sha256.New, []byte(root), nil, "crm secret box v1 aes-256-gcm", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	id, err := hkdf.Key(sha256.New, []byte(root), nil, "crm secret box v1 key id", keyIDSize)
	if err != nil {
		return nil, fmt.Errorf("derive key id: %w", err)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("set up cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("set up cipher: %w", err)
	}
	mac, err := hkdf.Key(sha256.New, []byte(root), nil, "crm secret box v1 hmac-sha-256", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key for marks: %w", err)
	}
	return &key{id: [keyIDSize]byte(id), aead: aead, mac: mac}, nil
}

func checkRoot(root string) error {
	if root == "" {
		return errors.New("the key is blank; remove the stray comma or write a key of at least 32 random characters")
	}
	if len(root) < minKeyLength {
		return fmt.Errorf("the key has only %d characters; use at least %d random ones", len(root), minKeyLength)
	}
	distinct := map[rune]bool{}
	for _, r := range root {
		distinct[r] = true
	}
	if len(distinct) < minDistinct {
		return errors.New("the key repeats the same few characters; use random ones")
	}
	return nil
}
