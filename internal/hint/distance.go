package hint

// Distance returns how many letters must be inserted, deleted or replaced to get from a to b
// (Levenshtein). With it, a program finds the name that a mistyped word probably means.
func Distance(a, b string) int {
	row := make([]int, len(b)+1) // distances of the beginning of a from every beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
