package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// Flash is the message the next page shows: what was done and how to take it
// back.
type Flash struct {
	Text  string    `json:"t"`
	Bad   bool      `json:"b,omitempty"`
	Seq   int64     `json:"s,omitempty"` // journal row to undo
	Batch uuid.UUID `json:"u,omitzero"`  // batch to undo
	Link  string    `json:"l,omitempty"` // local path
	Label string    `json:"n,omitempty"` // word of the link
}

// flashLife bounds how long an unseen message waits, in seconds.
const flashLife = 60

func (s *Site) flashCookie() string { return HostCookie("crm_flash", s.secure) }

// SetFlash leaves a message for the next page. It is signed, so that nobody who
// can set a cookie can make the product say things.
func (s *Site) SetFlash(w http.ResponseWriter, f Flash) {
	f.Text = f.Text[:min(len(f.Text), 600)]
	raw, err := json.Marshal(f)
	if err != nil {
		return
	}
	value := base64.RawURLEncoding.EncodeToString(raw)
	http.SetCookie(w, s.flash(value+"."+s.sign(value), flashLife))
}

// TakeFlash returns the waiting message, nil without one, and removes it.
func (s *Site) TakeFlash(w http.ResponseWriter, r *http.Request) *Flash {
	c, err := r.Cookie(s.flashCookie())
	if err != nil {
		return nil
	}
	http.SetCookie(w, s.flash("", -1))
	value, mac, _ := strings.Cut(c.Value, ".")
	if !hmac.Equal([]byte(mac), []byte(s.sign(value))) {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(value)
	var f Flash
	if err != nil || json.Unmarshal(raw, &f) != nil {
		return nil
	}
	return &f
}

func (s *Site) flash(value string, age int) *http.Cookie {
	return &http.Cookie{Name: s.flashCookie(), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode}
}

func (s *Site) sign(value string) string {
	mac := hmac.New(sha256.New, s.flashKey)
	mac.Write([]byte("flash:" + value))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}
