package learn

import "fmt"

const (
	// needPositives and needNegatives are the outcomes below which no model is trained.
	needPositives = 40
	needNegatives = 40
	// leastInSlice is how many outcomes of each kind a holdout or a choosing slice needs to say anything.
	leastInSlice = 10
)

// Options steer training; the zero value is what the product uses.
type Options struct {
	// Refuse names fields that must not be used, such as those filled in after the outcome.
	Refuse []string
	// KeepClocks uses fields that are nearly a function of time; it is meant for measuring what they do.
	KeepClocks bool
	// Exchangeable says that the order of rows means nothing: slices are drawn at random instead of being the latest,
	// every row is in the window and no field can be a clock. Only for data without time.
	Exchangeable bool
	// Windows restricts which windows are tried; nil tries all that the data supports.
	Windows []string
	// Seed makes sampling repeatable. The same table, options and seed give the same model, bit for bit.
	Seed uint64
	// Progress, when given, is called now and then from the training goroutine.
	Progress func(Progress)
}

// Progress tells how far training is.
type Progress struct {
	Stage string  // inspect, choose, evaluate or final
	Share float64 // of the whole training, 0 to 1, never falling
}

// NotEnoughData says that a model cannot be trained yet, and what is missing.
type NotEnoughData struct {
	Rows      int // leads with a known outcome
	Positives int // conversions among them
	Negatives int // losses among them
	// NeedPositives and NeedNegatives are how many more of each are needed.
	NeedPositives int
	NeedNegatives int
}

func (e *NotEnoughData) Error() string {
	have := fmt.Sprintf("there are %d conversions and %d losses so far; training needs %d of each", e.Positives, e.Negatives, needPositives)
	switch {
	case e.NeedPositives > 0 && e.NeedNegatives > 0:
		return fmt.Sprintf("%s: %d more conversions and %d more losses", have, e.NeedPositives, e.NeedNegatives)
	case e.NeedPositives > 0:
		return fmt.Sprintf("%s: %d more conversions", have, e.NeedPositives)
	}
	return fmt.Sprintf("%s: %d more losses", have, e.NeedNegatives)
}

// enough returns a *NotEnoughData unless the labels hold enough outcomes of both kinds.
func enough(labels []bool) error {
	won := positives(labels, span(0, len(labels)))
	lost := len(labels) - won
	if won >= needPositives && lost >= needNegatives {
		return nil
	}
	return &NotEnoughData{
		Rows: len(labels), Positives: won, Negatives: lost,
		NeedPositives: max(0, needPositives-won), NeedNegatives: max(0, needNegatives-lost),
	}
}
