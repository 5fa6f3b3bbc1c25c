package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// greeterC is a folder with a new module in C, which compiles fastest.
func greeterC(t *testing.T) string {
	t.Helper()
	t.Setenv("POSTERN_TOOLCHAIN", filepath.Join("..", "..", ".postern", "toolchain", "bin"))
	dir := filepath.Join(t.TempDir(), "greeter")
	text, err := execute("module", "new", "greeter", "--lang", "c", "--dir", dir, "-o", "json")
	var made struct{ Files []string }
	if err != nil || json.Unmarshal([]byte(text), &made) != nil || len(made.Files) < 5 {
		t.Fatalf("got %q, %v", text, err)
	}
	return dir
}

// change replaces text in a file.
func change(t *testing.T, file, old, with string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%v, no %q in %s", err, old, text)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte(old), []byte(with)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestModuleTestCommand(t *testing.T) {
	dir := greeterC(t)
	text, err := execute("module", "test", dir)
	if err != nil || !strings.Contains(text, "pass  5 of 5 requests; module greeter, c, ") {
		t.Fatalf("got %q, %v", text, err)
	}
	text, err = execute("module", "test", dir, "-o", "json")
	var result testResult
	if err != nil || json.Unmarshal([]byte(text), &result) != nil || !result.OK || len(result.Digest) != 64 || len(result.Requests) != 5 || result.Native != nil {
		t.Errorf("got %s, %v", text, err)
	}
	built, err := execute("module", "build", dir, "--json", "-o", filepath.Join(t.TempDir(), "g.wasm"))
	if err != nil || !strings.Contains(built, result.Digest) {
		t.Errorf("built %s, %v, want the digest that was tested", built, err)
	}
	change(t, filepath.Join(dir, "main.c"), "Hello, ", "Hi, ")
	text, err = execute("module", "test", dir)
	if exitCode(err) != exitFailure || !strings.Contains(text, "FAIL  greetings: greets by name (200") || !strings.Contains(text, `want "Hello, Jürgen K!"`) {
		t.Errorf("got %q, %v for a wrong answer", text, err)
	}
	change(t, filepath.Join(dir, "main.c"), "POSTERN_SERVE(serve)", "POSTERN_SERVE(nothing)")
	if _, err = execute("module", "test", dir); exitCode(err) != exitFailure || !strings.Contains(err.Error(), "main.c:") {
		t.Errorf("got %v for what does not compile", err)
	}
}

func TestModuleKitUsage(t *testing.T) {
	empty := t.TempDir()
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"unknown language": {[]string{"new", "x", "--lang", "cobol", "--dir", empty}, exitUsage, "want one of go, c, rust, assemblyscript"},
		"no name":          {[]string{"new"}, exitUsage, ""},
		"bad name":         {[]string{"new", "X", "--lang", "c", "--dir", empty}, exitFailure, "is not [a-z0-9-]"},
		"nothing to test":  {[]string{"test", empty}, exitFailure, "cannot tell the language"},
		"nothing to build": {[]string{"build", empty}, exitFailure, "postern module new"},
		"nothing to run":   {[]string{"run", filepath.Join(empty, "none"), "--listen", "127.0.0.1:0"}, exitFailure, "cannot find the module"},
		"output":           {[]string{"test", empty, "-o", "xml"}, exitUsage, "want text or json"},
		"settings":         {[]string{"run", empty, "--settings", "{", "--listen", "127.0.0.1:0"}, exitUsage, "--settings is not JSON"},
		"nothing to watch": {[]string{"watch", filepath.Join(empty, "none")}, exitFailure, "cannot watch"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := execute(append([]string{"module"}, test.args...)...); exitCode(err) != test.code || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q with exit code %d", err, test.want, test.code)
			}
		})
	}
}

// started runs a command until the test ends; what it prints comes line by line.
func started(t *testing.T, args ...string) *json.Decoder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	command := newCommand()
	command.SetOut(in)
	command.SetErr(io.Discard)
	command.SetArgs(args)
	ended := make(chan error, 1)
	go func() {
		err := command.ExecuteContext(ctx)
		ended <- err
		_ = in.CloseWithError(io.EOF)
	}()
	t.Cleanup(func() {
		cancel()
		_ = out.Close()
		if err := <-ended; err != nil && !strings.Contains(err.Error(), "closed pipe") {
			t.Error(err)
		}
	})
	return json.NewDecoder(out)
}

func TestModuleRun(t *testing.T) {
	dir := greeterC(t)
	lines := started(t, "module", "run", dir, "--listen", "127.0.0.1:0", "--user", "ann", "-o", "json")
	var r running
	if err := lines.Decode(&r); err != nil || r.Module != "greeter" || len(r.Serves) != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	answer, err := http.Get(r.Serves[0] + "greetings")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || string(body) != "Hello, ann!\n" {
		t.Errorf("got %q, %v", body, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestModuleWatch: a change swaps the module and shows in the answers; one that does not compile leaves it serving.
func TestModuleWatch(t *testing.T) {
	dir := greeterC(t)
	lines := started(t, "module", "watch", dir, "-o", "json")
	next := func() (r round) {
		t.Helper()
		if err := lines.Decode(&r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := next()
	if !first.OK || len(first.Requests) != 5 || first.Requests[0].Diff != nil {
		t.Fatalf("got %+v", first)
	}
	change(t, filepath.Join(dir, "main.c"), "Hello, ", "Hi, ")
	second := next()
	if diff := strings.Join(second.Requests[0].Diff, "\n"); second.OK || second.Digest == first.Digest || diff != "- Hello, Jürgen K!\n+ Hi, Jürgen K!" {
		t.Errorf("got %+v", second)
	}
	for _, c := range second.Requests[3:] {
		if c.Diff != nil {
			t.Errorf("%s: got %q for what has not changed", c.Name, c.Diff)
		}
	}
	change(t, filepath.Join(dir, "main.c"), "#include \"postern.h\"", "#include \"nothing.h\"")
	if third := next(); third.OK || !strings.Contains(third.Error, "nothing.h") {
		t.Errorf("got %+v for what does not compile", third)
	}
}

// TestWorking: nothing is drawn where nobody watches.
func TestWorking(t *testing.T) {
	var b bytes.Buffer
	done := working(&b, "compiling")
	done()
	if b.Len() > 0 {
		t.Errorf("got %q", b.String())
	}
}
