package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// barWidth is a bar's length in characters: with label and figures it fits into 80 columns.
const barWidth = 30

// progressBar draws how far something is into one line of a terminal; nil when w is none, so that logs stay clean.
func progressBar(w io.Writer, label string) func(done, total int64) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return drawBar(w, label)
}

// drawBar draws when the bar has grown, and ends the line at its end.
func drawBar(w io.Writer, label string) func(done, total int64) {
	shown := int64(-1)
	return func(done, total int64) {
		percent := int64(100)
		if total > 0 {
			percent = min(100, done*100/total)
		}
		if percent == shown {
			return
		}
		shown = percent
		filled := int(percent) * barWidth / 100
		end := ""
		if percent == 100 {
			end = "\n"
		}
		fmt.Fprintf(w, "\r%-24.24s [%s%s] %3d %% of %.1f MiB%s", label, strings.Repeat("=", filled), strings.Repeat(" ", barWidth-filled),
			percent, float64(total)/(1<<20), end)
	}
}
