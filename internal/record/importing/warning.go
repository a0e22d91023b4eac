package importing

import (
	"fmt"
	"slices"
)

func warning(field, code, format string, args ...any) Warning {
	return Warning{Field: field, Code: code, Message: fmt.Sprintf(format, args...), Count: 1}
}

// maxWarnings is how many kinds of warnings an import lists.
const maxWarnings = 100

// addWarning counts w; the message of the first one of its kind stays.
func addWarning(list []Warning, w Warning) []Warning {
	i := slices.IndexFunc(list, func(x Warning) bool { return x.Field == w.Field && x.Code == w.Code })
	if i >= 0 {
		list[i].Count += w.Count
		return list
	}
	if len(list) >= maxWarnings {
		return list
	}
	return append(list, w)
}
