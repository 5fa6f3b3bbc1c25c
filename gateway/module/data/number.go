package data

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"
)

// parseNumber reads a JSON number, or a string that holds one or one of NaN, Inf, +Inf, -Inf: Prometheus' samples are
// strings. What float64 cannot hold becomes an infinity.
func parseNumber(raw []byte) (float64, bool) {
	text, ok := Text(raw)
	if !ok {
		return 0, false
	}
	return parseFloat(text)
}

// parseFloat is strconv.ParseFloat without what is Go's alone: hexadecimal, underscores, infinity in other spellings.
func parseFloat(text []byte) (float64, bool) {
	if len(text) == 0 {
		return 0, false
	}
	switch string(text) {
	case "NaN":
		return math.NaN(), true
	case "Inf", "+Inf":
		return math.Inf(1), true
	case "-Inf":
		return math.Inf(-1), true
	}
	for _, c := range text {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(&text[0], len(text)), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// appendDecimal appends f as a JSON string in plain decimal notation, as short as it can be: the form of KubeSphere's
// values. Prometheus switches to exponents below 1e-6 and from 1e21 on.
func appendDecimal(b []byte, f float64) []byte {
	b = append(b, '"')
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	return append(b, '"')
}

// appendNumber appends f as a JSON number; what JSON has no number for as Prometheus' strings.
func appendNumber(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return appendDecimal(b, f)
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, 64)
}

// shortest says whether text is a plain decimal number that appendDecimal would write just so: at most 15 significant
// digits, which float64 always gives back, and no zeros to drop.
func shortest(text []byte) bool {
	if len(text) > 0 && text[0] == '-' {
		text = text[1:]
	}
	whole, fraction, point := bytes.Cut(text, []byte{'.'})
	if len(text) > 16 || digits(whole, 0) != len(whole) || len(whole) == 0 || (whole[0] == '0' && len(whole) > 1) {
		return false
	}
	if !point {
		return len(text) <= 15
	}
	return len(fraction) > 0 && digits(fraction, 0) == len(fraction) && fraction[len(fraction)-1] != '0'
}

// suffixes are those of Kubernetes quantities, as powers of ten or of two.
var suffixes = map[string]struct {
	ten string
	two int
}{
	"": {}, "n": {ten: "e-9"}, "u": {ten: "e-6"}, "m": {ten: "e-3"}, "k": {ten: "e3"}, "M": {ten: "e6"}, "G": {ten: "e9"},
	"T": {ten: "e12"}, "P": {ten: "e15"}, "E": {ten: "e18"},
	"Ki": {two: 10}, "Mi": {two: 20}, "Gi": {two: 30}, "Ti": {two: 40}, "Pi": {two: 50}, "Ei": {two: 60},
}

// parseQuantity reads a Kubernetes quantity (250m, 1Gi, 12345Ki, 100n, 2e3, 4) as the nearest float64.
func parseQuantity(raw []byte) (float64, bool) {
	text, ok := Text(raw)
	if !ok {
		return 0, false
	}
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.' || text[end] == '-' || text[end] == '+') {
		end++
	}
	suffix, known := suffixes[string(text[end:])]
	if !known { // an exponent, or nothing
		return parseFloat(text)
	}
	f, ok := parseFloat(append(text[:end:end], suffix.ten...))
	return math.Ldexp(f, suffix.two), ok
}
