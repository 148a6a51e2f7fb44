package review

// ParseNote reads what a file says of itself.
func ParseNote(data []byte) (Picture, error) { return parseNote(data) }
