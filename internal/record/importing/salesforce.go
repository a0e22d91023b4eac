package importing

// longID brings a record id of 15 characters, where case matters, to the 18 that tell
// case in their last three: reports write the short form, the API the long one, and
// both mean one record. Other texts pass.
func longID(s string) string {
	if len(s) != 15 || (s[0] != '0' && s[0] != 'a') {
		return s
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	var suffix [3]byte
	digits := 0
	for part := range 3 {
		bits := 0
		for i := range 5 {
			c := s[part*5+i]
			switch {
			case c >= 'A' && c <= 'Z':
				bits |= 1 << i
			case c >= '0' && c <= '9':
				digits++
			case c < 'a' || c > 'z':
				return s
			}
		}
		suffix[part] = alphabet[bits]
	}
	if digits == 0 {
		return s
	}
	return s + string(suffix[:])
}
