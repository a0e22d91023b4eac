package mail

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// AddressError tells that an e-mail address cannot be used on the wire. It is permanent.
type AddressError struct {
	Address string
	Reason  string
}

// Error leaves the address out: it is personal data and errors get logged.
func (e *AddressError) Error() string { return "e-mail address " + e.Reason }

// NormalAddress checks an address and brings its domain to lower-case ASCII (punycode), the form used in envelopes and
// headers. The local part is left as it is: only the receiving server knows whether its case matters. Quoted local
// parts, address literals and non-ASCII local parts are refused; the latter would need SMTPUTF8 along the whole way.
func NormalAddress(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || at == len(address)-1 {
		return "", &AddressError{address, "must look like name@example.com"}
	}
	local, domain := address[:at], address[at+1:]
	if len(local) > 64 || len(address) > 254 {
		return "", &AddressError{address, "is too long (64 characters before the @, 254 in all)"}
	}
	if !isASCII(local) {
		return "", &AddressError{address, "has letters before the @ that few mail servers accept; ask for another address"}
	}
	if !atoms(local) {
		return "", &AddressError{address, "has a character before the @ that is not allowed"}
	}
	domain, err := asciiDomain(domain)
	if err != nil {
		return "", &AddressError{address, "has an invalid domain after the @"}
	}
	return local + "@" + domain, nil
}

// atoms accepts dots anywhere: some carriers handed out addresses with two in a row, and they receive mail.
func atoms(local string) bool {
	const special = "!#$%&'*+-/=?^_`{|}~."
	for i := range len(local) {
		c := local[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte(special, c) < 0 {
			return false
		}
	}
	return true
}

func asciiDomain(domain string) (string, error) {
	domain = strings.ToLower(domain)
	if !isASCII(domain) {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			return "", fmt.Errorf("convert domain: %w", err)
		}
		domain = ascii
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", fmt.Errorf("label %q is not valid", label)
		}
	}
	return domain, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
