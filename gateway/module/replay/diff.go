package replay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// changing are headers that differ from answer to answer.
var changing = map[string]bool{"Date": true, "X-Request-Id": true}

// maxLines bounds the lines of a body that Diff compares: its work grows with their square.
const maxLines = 2000

// Diff is what b has other than a, as lines that begin with - and +; nothing when they are alike.
func Diff(a, b Answer) (lines []string) {
	if a.Status != b.Status {
		lines = append(lines, fmt.Sprintf("- status %d", a.Status), fmt.Sprintf("+ status %d", b.Status))
	}
	names := map[string]bool{}
	for _, header := range []map[string][]string{a.Header, b.Header} {
		for name := range header {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		before, after := a.Header[name], b.Header[name]
		if changing[name] || name == "Content-Length" || slices.Equal(before, after) {
			continue
		}
		for _, value := range before {
			lines = append(lines, "- "+name+": "+value)
		}
		for _, value := range after {
			lines = append(lines, "+ "+name+": "+value)
		}
	}
	if a.Body != b.Body {
		lines = append(lines, diffLines(strings.Split(a.Body, "\n"), strings.Split(b.Body, "\n"))...)
	}
	return lines
}

// diffLines is the lines that are not in the longest common subsequence of both, in order.
func diffLines(a, b []string) (out []string) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) > maxLines || len(b) > maxLines {
		return []string{fmt.Sprintf("- %d lines", len(a)), fmt.Sprintf("+ %d other lines", len(b))}
	}
	common := lengths(a, b)
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}

// lengths are those of the longest common subsequences of the rests of a and b.
func lengths(a, b []string) [][]int16 {
	table := make([][]int16, len(a)+1)
	for i := range table {
		table[i] = make([]int16, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}
