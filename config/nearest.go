package config

import (
	"reflect"
	"strings"
)

// maxKeyLength bounds the words that are compared: the distance costs the
// product of two lengths, and no key of ours is half as long.
const maxKeyLength = 100

// nearestKey finds the known key that was perhaps meant by an unknown one:
// first among the keys of its own section, then anywhere. It returns the full
// path, or "" if nothing is near.
func nearestKey(section reflect.Type, at path, unknown string) string {
	if near := nearestWord(unknown, keysOf(section)); near != "" {
		return at.with(near).String()
	}
	paths := leafPaths()
	words := make([]string, len(paths))
	for i, p := range paths {
		words[i] = p[len(p)-1]
	}
	near := nearestWord(unknown, words)
	for _, p := range paths {
		if near != "" && p[len(p)-1] == near {
			return p.String()
		}
	}
	return ""
}

// nearestWord returns the candidate with the fewest edits, at most a third of
// the word's length (and two for short words), case aside.
func nearestWord(word string, candidates []string) string {
	if len(word) > maxKeyLength {
		return ""
	}
	limit := max(2, len(word)/3)
	if len(word) <= 3 {
		limit = 1
	}
	best, bestWord := limit+1, ""
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < best && d < len(c) {
			best, bestWord = d, c
		}
	}
	return bestWord
}

// distance is the number of letters to insert, delete, replace or swap.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
