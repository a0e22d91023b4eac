package learn

// The stages of training, in order.
const (
	StageInspect  = "inspect"
	StageChoose   = "choose"
	StageEvaluate = "evaluate"
	StageFinal    = "final"
)

// expectedTrees is a guess at how many trees early stopping will grow, for the progress bar only.
const expectedTrees = 150

// meter turns trees grown into one rising share of the whole run.
type meter struct {
	call     func(Progress)
	stage    string
	from, to float64
	last     float64
}

// report passes on progress; it never moves back.
func (m *meter) report(stage string, share float64) {
	if m.call == nil {
		return
	}
	m.last = max(m.last, share)
	m.call(Progress{Stage: stage, Share: m.last})
}

// candidate starts the part of the choosing stage that window i of n takes.
func (m *meter) candidate(i, n int) {
	const from, to = 0.05, 0.55
	width := (to - from) / float64(n)
	m.stage = StageChoose
	m.from = from + float64(i)*width
	m.to = m.from + width
	m.report(m.stage, m.from)
}

// begin starts the fit of a stage.
func (m *meter) begin(stage string) {
	m.stage = stage
	m.from, m.to = 0.55, 0.75
	if stage == StageFinal {
		m.from, m.to = 0.8, 1
	}
	m.report(stage, m.from)
}

// tick reports every tenth tree.
func (m *meter) tick(trees int) {
	if trees%10 == 0 {
		m.report(m.stage, m.from+(m.to-m.from)*min(1, float64(trees)/expectedTrees))
	}
}
