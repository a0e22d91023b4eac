package ui

import (
	"hash/fnv"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// figure writes a number for an SVG attribute, two decimals at most.
func figure(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

// signed writes an effect with its sign, a real minus, no decimals from 10 on.
func signed(v float64) string {
	decimals := 0
	if math.Abs(v) < 10 && v != math.Trunc(v) {
		decimals = 1
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	if v < 0 {
		return "−" + s
	}
	return "+" + s
}

// spelled is the end a model may give its sentence: ": −2.8 points".
var spelled = regexp.MustCompile(`: [+−-][0-9.,]+ points?$`)

// fact is a reason without its points, which stand beside it as a figure.
func (r Reason) fact() string {
	return spelled.ReplaceAllString(r.Text, "")
}

// reasonLeast keeps a bar of a small effect wide enough to be seen as one.
const reasonLeast = 2

// reasonSize scales an effect to the 28 units on each side of the middle line.
func reasonSize(r Reason, list []Reason) float64 {
	top := 1.0
	for _, o := range list {
		top = math.Max(top, math.Abs(o.Effect))
	}
	size := r.Effect / top * 28
	if r.Effect != 0 && math.Abs(size) < reasonLeast {
		return math.Copysign(reasonLeast, size)
	}
	return size
}

func (v Tags) shown() int {
	if v.Max > 0 {
		return v.Max
	}
	return 3
}

func (v Tags) rest() string {
	var names []string
	for _, t := range v.Items[v.shown():] {
		names = append(names, t.Label)
	}
	return strings.Join(names, ", ")
}

func (v Score) title() string {
	s := strings.TrimSpace(Words.Machine + ": " + strconv.Itoa(v.Value) + " " + v.Grade)
	if len(v.Reasons) == 0 {
		return s
	}
	var texts []string
	for _, r := range v.Reasons {
		texts = append(texts, signed(r.Effect)+" "+r.fact())
	}
	return s + ". " + strings.Join(texts, "; ")
}

func machineTitle(v Machine) string {
	if v.Model == "" {
		return Words.WrittenBy
	}
	return Words.WrittenBy + " · " + v.Model
}

func stepClass(s StepState, done bool) string {
	switch {
	case done:
		return "done"
	case s == StepOverdue:
		return "bad"
	case s == StepToday:
		return "good"
	case s == StepNone:
		return "warn"
	}
	return "later"
}

func stepIcon(s StepState, done bool) string {
	switch {
	case done:
		return "check"
	case s == StepOverdue:
		return "circle-alert"
	case s == StepToday:
		return "clock"
	case s == StepNone:
		return "triangle-alert"
	}
	return "calendar"
}

func (c Card) stepText() string {
	if c.StepText != "" {
		return c.StepText
	}
	switch c.Step {
	case StepOverdue:
		return Words.Overdue
	case StepToday:
		return Words.Today
	case StepNone:
		return Words.NoStep
	}
	return Words.Planned
}

// timelineIcon is the sign of a kind of happening.
func timelineIcon(k TimelineKind) string {
	switch k {
	case KindNote:
		return "notebook-pen"
	case KindCall:
		return "phone"
	case KindTask:
		return "circle-check"
	case KindMeeting:
		return "calendar"
	case KindMessage:
		return "mail"
	case KindCampaign:
		return "megaphone"
	case KindMachine:
		return "sparkles"
	case KindSystem:
		return "settings"
	}
	return "pencil"
}

func channelIcon(channel string) string {
	switch channel {
	case "sms":
		return "smartphone"
	case "chat", "slack", "whatsapp":
		return "message-circle"
	}
	return "mail"
}

func avatarSize(a Avatar) string {
	switch a.Size {
	case 20, 32, 40, 56:
		return "s" + strconv.Itoa(a.Size)
	}
	return "s24"
}

// avatarTone gives a name the same quiet tint everywhere.
func avatarTone(a Avatar) string {
	if a.Machine {
		return ""
	}
	h := fnv.New32a()
	h.Write([]byte(a.Name))
	return "hue-" + strconv.Itoa(int(h.Sum32()%8)+1)
}

func safeWeb(href string) bool {
	u, err := url.Parse(href)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

func bareHost(href string) string {
	u, err := url.Parse(href)
	if err != nil {
		return href
	}
	return strings.TrimSuffix(strings.TrimPrefix(u.Host, "www.")+u.Path, "/")
}

// bannerRole: only trouble interrupts.
func bannerRole(b Banner) string {
	if b.Tone == ToneBad {
		return "alert"
	}
	return "status"
}

func bannerIcon(t Tone) string {
	switch t {
	case ToneBad:
		return "circle-alert"
	case ToneWarn:
		return "triangle-alert"
	case ToneGood:
		return "circle-check"
	}
	return "info"
}
