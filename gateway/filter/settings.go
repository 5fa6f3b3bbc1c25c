package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// SettingError says which setting is wrong: Key is its path below settings, as limits[0].requests, or empty.
type SettingError struct {
	Key string
	Err error
}

func (e *SettingError) Error() string {
	if e.Key == "" {
		return e.Err.Error()
	}
	return e.Key + ": " + e.Err.Error()
}

func (e *SettingError) Unwrap() error { return e.Err }

// Wrong is a *SettingError with a message made as fmt.Errorf makes it.
func Wrong(key, format string, args ...any) error {
	return &SettingError{key, fmt.Errorf(format, args...)}
}

// Decode reads settings into v, a pointer to a struct that has its defaults. Unknown settings are errors.
func Decode(settings json.RawMessage, v any) error {
	if len(settings) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(settings))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		return Wrong("", "want one JSON object")
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return Wrong(wrong.Field, "want %s, have a %s", wrong.Type, wrong.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return Wrong("", "there is no setting %s", name)
	}
	return &SettingError{"", errors.New(strings.TrimPrefix(err.Error(), "json: "))}
}

// Duration is a duration in settings, written as Go does: 10s, 1m30s.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("cannot parse %q as duration (for example 10s, 1m30s)", text)
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes in settings, binary: 64KiB, 8MiB, 1GiB, or a plain number.
type Size int64

var sizeUnits = []struct {
	suffix string
	shift  uint
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"Ki", 10}, {"Mi", 20}, {"Gi", 30}, {"B", 0}, {"", 0}}

// UnmarshalJSON reads a size, text or number.
func (s *Size) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > (1<<62)>>u.shift {
			break
		}
		*s = Size(n << u.shift)
		return nil
	}
	return fmt.Errorf("cannot parse %q as size (for example 64KiB, 8MiB)", text)
}
