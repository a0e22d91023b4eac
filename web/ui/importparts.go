package ui

type importStepName struct{ Step ImportStep }

// importSteps is the order people see.
var importSteps = []importStepName{{ImportUpload}, {ImportMap}, {ImportPreview}, {ImportProgress}, {ImportResult}}

// Label is the word of the step.
func (s importStepName) Label() string {
	switch s.Step {
	case ImportUpload:
		return Words.UploadStep
	case ImportMap:
		return Words.MapStep
	case ImportPreview:
		return Words.PreviewStep
	case ImportProgress:
		return Words.ProgressStep
	}
	return Words.ResultStep
}

// passed reports whether step i lies behind the current one.
func (p ImportWizard) passed(i int) bool {
	for n, s := range importSteps {
		if s.Step == p.Step {
			return i < n || p.Step == ImportResult
		}
	}
	return false
}

// detail joins a second phrase after a name.
func detail(s string) string {
	if s == "" {
		return ""
	}
	return " · " + s
}
