package ratelimit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of the buckets an API counts.
const (
	Key      = "key"      // one API key or one signed-in person
	Tenant   = "tenant"   // everybody of a tenant together
	Address  = "address"  // callers without a key, by where they come from
	Failures = "failures" // refused keys, by where they come from
)

// Defaults are per minute. Key and tenant protect against a loop gone wild, not
// against use: whoever runs this runs the machine too, and one key may read ten
// thousand records a second. Failures bound guessing.
func Defaults() map[string]Policy {
	return map[string]Policy{
		Key: {600_000, time.Minute}, Tenant: {1_200_000, time.Minute}, Address: {60_000, time.Minute}, Failures: {60, time.Minute},
	}
}

// ParseSettings reads "key=6000,tenant=60000" (requests a minute) over the defaults.
func ParseSettings(s string) (map[string]Policy, error) {
	out := Defaults()
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		name, value, _ := strings.Cut(part, "=")
		if _, ok := out[name]; !ok {
			return nil, fmt.Errorf("there is no rate limit %q; set %s, as in key=6000,tenant=60000 (requests a minute)", name, strings.Join(names(out), ", "))
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 || n > 1_000_000_000 {
			return nil, fmt.Errorf("the rate limit %s must be a number of requests a minute, 1 to 1000000000, not %q", name, value)
		}
		out[name] = Policy{n, time.Minute}
	}
	return out, nil
}

func names(m map[string]Policy) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
