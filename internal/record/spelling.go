package record

import (
	"context"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/db"
)

const (
	shortestTypo = 4  // below, too many words are one slip away
	longestTypo  = 16 // above, similarity alone finds the word
)

// respell replaces words that no document contains by the ones most likely
// meant; it returns "" when there is nothing to try. It is asked only after a
// search found nothing, so typing well costs nothing.
func (k *Kernel) respell(ctx context.Context, words string) (string, error) {
	if strings.ContainsAny(words, "0123456789@") { // numbers and addresses are not misspelled names
		return "", nil
	}
	list := strings.Fields(words)
	changed := false
	for i, w := range list {
		if n := len([]rune(w)); n < shortestTypo || n > longestTypo || i >= 3 {
			continue
		}
		better, err := k.spelling(ctx, w)
		if err != nil {
			return "", err
		}
		if better != "" && better != w {
			list[i], changed = better, true
		}
	}
	if !changed {
		return "", nil
	}
	return strings.Join(list, " "), nil
}

func (k *Kernel) spelling(ctx context.Context, word string) (string, error) {
	var out *string
	q := db.Query{SQL: "select search_spelling($1, $2)", Args: []any{word, variants(word)}}
	err := k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[*string])
		return err
	})
	if err != nil || out == nil {
		return "", err
	}
	return *out, nil
}

// variants are patterns of the words one slip away: two letters swapped, one
// wrong, one too many, one missing. The word itself is among them, so that a
// right one stays.
func variants(word string) []string {
	r := []rune(word)
	out := []string{"% " + escapeLike(word) + " %"}
	add := func(parts ...[]rune) {
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(string(p))
		}
		// Only letters get here, so nothing needs escaping; _ is any letter.
		out = append(out, "% "+b.String()+" %")
	}
	for _, c := range r {
		if !unicode.IsLetter(c) {
			return out
		}
	}
	any1 := []rune{'_'}
	for i := range r {
		add(r[:i], any1, r[i+1:])
		add(r[:i], any1, r[i:])
		add(r[:i], r[i+1:])
		if i+1 < len(r) {
			add(r[:i], []rune{r[i+1], r[i]}, r[i+2:])
		}
	}
	return out
}
