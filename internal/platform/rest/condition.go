package rest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"crm/internal/platform/errs"
)

// Versions reads If-Match: the versions the caller accepts. any is true for "*".
// Both are empty when the caller does not say. A weak mark (W/) is passed over: a
// proxy that compresses adds it, and our versions are exact all the same.
func Versions(r *http.Request) (versions []int64, any bool, err error) {
	for _, tag := range tags(r, "If-Match") {
		if tag == "*" {
			any = true
			continue
		}
		n, err := strconv.ParseInt(tag, 10, 64)
		if err != nil {
			return nil, false, errs.New(errs.Malformed, "bad_if_match", `If-Match must be a version like "3".`)
		}
		versions = append(versions, n)
	}
	return versions, any, nil
}

// IfMatch is the one version the caller expects; nil when it does not say.
func IfMatch(r *http.Request) (*int64, error) {
	versions, _, err := Versions(r)
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	if len(versions) > 1 {
		return nil, errs.New(errs.Malformed, "bad_if_match", "If-Match may name one version here.")
	}
	return &versions[0], nil
}

// NotModified sets the ETag and answers 304 when the caller has this version
// already; then there is nothing left to do.
func NotModified(w http.ResponseWriter, r *http.Request, version int64) bool {
	return SameTag(w, r, ETag(version))
}

// SameTag is NotModified for a tag that is written already.
func SameTag(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == "" {
		return false
	}
	have := tags(r, "If-None-Match")
	if !slices.Contains(have, "*") && !slices.Contains(have, strings.Trim(tag, `"`)) {
		return false
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	w.WriteHeader(http.StatusNotModified)
	return true
}

// OnlyNew reports If-None-Match: *, "create it, but change nothing that is there".
func OnlyNew(r *http.Request) bool { return slices.Contains(tags(r, "If-None-Match"), "*") }

// tags splits a list of entity tags; ours hold no commas.
func tags(r *http.Request, header string) []string {
	var out []string
	for _, line := range r.Header.Values(header) {
		for _, tag := range strings.Split(line, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag = strings.Trim(tag, `"`); tag != "" {
				out = append(out, tag)
			}
		}
	}
	return out
}
