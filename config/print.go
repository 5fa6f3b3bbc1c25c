package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// YAML prints every key with its value, secrets masked, so that Load reads it
// again. With comments each key has its documentation above it.
func (c *Config) YAML(comments bool) []byte {
	w := yamlWriter{comments: comments}
	w.object(treeOf(reflect.ValueOf(c).Elem()), 0)
	return w.Bytes()
}

// MarshalJSON prints what YAML does, as JSON; so a Config that ends up in a log
// shows no secret.
func (c *Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(treeOf(reflect.ValueOf(c).Elem()))
}

// yamlWriter writes block style for sections, flow style for what is empty.
// Strings that could be read as anything else are quoted as in JSON.
type yamlWriter struct {
	bytes.Buffer
	comments bool
}

func (w *yamlWriter) object(o object, indent int) {
	for i, m := range o {
		if w.comments && m.comment != "" {
			if indent == 0 && i > 0 {
				w.WriteByte('\n')
			}
			w.line(indent, "# "+m.comment)
		}
		w.pad(indent)
		w.WriteString(yamlString(m.key) + ":")
		w.value(m.value, indent)
	}
}

// value writes what follows a colon, up to the end of the line or block.
func (w *yamlWriter) value(value any, indent int) {
	switch v := value.(type) {
	case object:
		if len(v) == 0 {
			w.WriteString(" {}\n")
			return
		}
		w.WriteByte('\n')
		w.object(v, indent+2)
	case []any:
		if len(v) == 0 {
			w.WriteString(" []\n")
			return
		}
		w.WriteByte('\n')
		for _, item := range v {
			w.item(item, indent)
		}
	default:
		w.WriteString(" " + yamlScalar(v) + "\n")
	}
}

// item writes one element of a list: an object starts on the line of its dash.
func (w *yamlWriter) item(item any, indent int) {
	w.pad(indent)
	w.WriteByte('-')
	o, ok := item.(object)
	if !ok || len(o) == 0 {
		w.value(item, indent+2)
		return
	}
	block := yamlWriter{}
	block.object(o, indent+2)
	w.WriteByte(' ')
	w.Write(bytes.TrimLeft(block.Bytes(), " "))
}

func (w *yamlWriter) line(indent int, text string) {
	w.pad(indent)
	w.WriteString(text + "\n")
}

func (w *yamlWriter) pad(indent int) { w.WriteString(strings.Repeat(" ", indent)) }

func yamlScalar(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return yamlString(v)
	case float64:
		return yamlFloat(v)
	}
	return fmt.Sprint(value)
}

// yamlFloat writes a point, without which YAML 1.1 reads no float.
func yamlFloat(f float64) string {
	if math.Abs(f) < 1e15 {
		text := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(digits, ".") {
		digits += ".0"
	}
	return digits + "e" + exponent
}

// plain matches strings that need no quotes: words that start with a letter or
// a slash and have no space, no ": " and no " #" in them.
var plain = regexp.MustCompile(`^[A-Za-z/][\w./:@%+-]*[\w/]$`)

// otherMeaning matches words that YAML 1.1 or 1.2 reads as no string.
var otherMeaning = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|null|y|n)$`)

func yamlString(text string) string {
	if plain.MatchString(text) && !otherMeaning.MatchString(text) {
		return text
	}
	return jsonString(text)
}

// jsonString quotes without the HTML escapes of encoding/json.
func jsonString(text string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil { // a string cannot fail
		return strconv.Quote(text)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
