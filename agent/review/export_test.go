package review

// ParseNote reads the note of a file.
func ParseNote(data []byte) (Picture, error) { return parseNote(data) }
