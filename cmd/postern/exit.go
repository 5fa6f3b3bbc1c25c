package main

import "errors"

// Exit codes of every command.
const (
	exitFailure = 1 // what was asked for failed
	exitUsage   = 2 // it was asked for wrongly
)

// failure is an error of a command that was called rightly. Errors that are
// none come from cobra: unknown flags, missing arguments.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// errReported is a failure whose text the command has printed itself.
var errReported = failure{errors.New("reported")}

// exitCode is what the process ends with.
func exitCode(err error) int {
	var f failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return exitFailure
	}
	return exitUsage
}
