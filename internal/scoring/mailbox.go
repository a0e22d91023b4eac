package scoring

import (
	"strings"

	"crm/internal/scoring/learn"
)

// freeMail are domains where anybody can have an address: they say that a lead did not write from work.
var freeMail = map[string]bool{
	"gmail.com": true, "googlemail.com": true, "yahoo.com": true, "ymail.com": true, "rocketmail.com": true, "hotmail.com": true,
	"outlook.com": true, "live.com": true, "msn.com": true, "aol.com": true, "icloud.com": true, "me.com": true, "mac.com": true,
	"proton.me": true, "protonmail.com": true, "tutanota.com": true, "zoho.com": true, "mail.com": true, "gmx.com": true, "gmx.de": true,
	"gmx.net": true, "gmx.at": true, "gmx.ch": true, "web.de": true, "t-online.de": true, "freenet.de": true, "orange.fr": true,
	"wanadoo.fr": true, "free.fr": true, "laposte.net": true, "libero.it": true, "virgilio.it": true, "terra.com.br": true, "uol.com.br": true,
	"bol.com.br": true, "mail.ru": true, "yandex.ru": true, "bk.ru": true, "rambler.ru": true, "qq.com": true, "163.com": true, "126.com": true,
	"sina.com": true, "naver.com": true, "daum.net": true, "hanmail.net": true, "rediffmail.com": true, "seznam.cz": true, "wp.pl": true,
	"o2.pl": true, "interia.pl": true, "abv.bg": true, "ukr.net": true, "btinternet.com": true, "comcast.net": true, "verizon.net": true,
	"sbcglobal.net": true, "att.net": true, "bigpond.com": true, "shaw.ca": true, "rogers.com": true,
}

// freeMailFamilies are services with an address per country, such as yahoo.co.uk.
var freeMailFamilies = []string{"yahoo.", "hotmail.", "live.", "outlook.", "gmx."}

// mailboxClass sorts an e-mail address: free, or corporate for any other domain; "" without an address.
func mailboxClass(email string) string {
	_, domain, ok := strings.Cut(strings.ToLower(strings.TrimSpace(email)), "@")
	if !ok || domain == "" {
		return ""
	}
	if freeMail[domain] {
		return "free"
	}
	for _, family := range freeMailFamilies {
		if strings.HasPrefix(domain, family) {
			return "free"
		}
	}
	return "corporate"
}

func mailbox() feature {
	return feature{
		name: "email_domain", field: "email", label: "Kind of e-mail address", kind: learn.Category,
		value: func(get lookup) any {
			email, _ := get("email").(string)
			return mailboxClass(email)
		},
		say: func(v any) string {
			if v == "free" {
				return "Uses a free e-mail service"
			}
			return "Uses a company e-mail address"
		},
	}
}

// ranks are words in job titles, highest first; the first that occurs decides.
var ranks = []struct {
	rank  string
	words []string
}{
	{"owner or chief", []string{"chief", "ceo", "cfo", "cto", "coo", "cmo", "cio", "founder", "owner", "president", "partner", "geschäftsführer"}},
	{"director", []string{"vp", "vice", "director", "head", "svp", "evp", "principal", "leiter", "leiterin"}},
	{"manager", []string{"manager", "lead", "supervisor", "coordinator"}},
	{"specialist", []string{"engineer", "developer", "analyst", "consultant", "specialist", "designer", "administrator", "officer", "representative", "executive"}},
	{"junior", []string{"assistant", "junior", "intern", "student", "trainee"}},
}

// seniority reads how high up a title is: titles have thousands of spellings, ranks five.
func seniority() feature {
	return feature{
		name: "seniority", field: "title", label: "Seniority", kind: learn.Category,
		value: func(get lookup) any {
			title, _ := get("title").(string)
			return rankOf(title)
		},
	}
}

func rankOf(title string) string {
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return strings.ContainsRune(" ,./-&()|", r) }) {
		words[w] = true
	}
	// "Vice president" is no president.
	if words["vice"] {
		return "director"
	}
	for _, r := range ranks {
		for _, w := range r.words {
			if words[w] {
				return r.rank
			}
		}
	}
	if len(words) > 0 {
		return "other"
	}
	return ""
}
