package ui

func (p BoardPage) cards() int {
	n := 0
	for _, c := range p.Columns {
		n += len(c.Cards)
	}
	return n
}

func columnTone(c BoardColumn) string {
	switch {
	case c.Tone != ToneNeutral:
		return string(c.Tone)
	case c.Outcome == OutcomeWon:
		return string(ToneGood)
	case c.Outcome == OutcomeLost:
		return string(ToneBad)
	}
	return ""
}

func outcomeIcon(o Outcome) string {
	if o == OutcomeWon {
		return "trophy"
	}
	return "circle-x"
}

func dropWords(o Outcome) string {
	if o == OutcomeWon {
		return Words.DropWon
	}
	return Words.DropLost
}

// score gives the card's win probability the id its popover needs.
func (c Card) score() Score {
	s := *c.Score
	s.ID = or(s.ID, "card-"+c.ID)
	return s
}
