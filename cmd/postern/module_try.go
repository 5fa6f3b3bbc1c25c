package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module/replay"
	"github.com/posternhq/postern/gateway/module/source"
)

// newModuleTestCommand is `postern module test`.
func newModuleTestCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "test DIR",
		Short: "Build a module, run its tests and say which digest passed",
		Long: "Build the module in DIR and run its tests: a Go module's own with `go test`, which asks it natively, too, and then\n" +
			"the requests of tests/*.http of the WebAssembly in the gateway's own runtime. Exit code 0: all passed; 1: not;\n" +
			"2: wrong usage.\n\n" +
			"In a .http file the comments above a request say what is expected:\n" +
			"  # expect 200                       a status, or a class of them: 2xx\n" +
			"  # expect-header Name: value\n" +
			"  # expect-body text                 the body; several lines of it may follow each other\n" +
			"  # expect-contains text             a part of the body\n" +
			"  # expect-json /items/0/name \"x\"    the value at a JSON Pointer\n",
		Example: "  postern module test .\n  postern module test . --requests 'smoke/*.http' -o json\n  postern module test . --prometheus http://localhost:9091",
		Args:    cobra.ExactArgs(1),
	}
	flags := bindTrial(command.Flags())
	requests := command.Flags().StringSlice("requests", nil, "files of requests (default: tests/*.http in DIR)")
	native := command.Flags().Bool("native", true, "run `go test` of a Go module, too")
	output := outputFlag(command, "text", "text or json")
	command.RunE = func(command *cobra.Command, args []string) error {
		if err := checkOutput(*output); err != nil {
			return err
		}
		t := &trialTest{dir: args[0], requests: *requests, flags: flags, native: *native, progress: command.ErrOrStderr()}
		if len(t.requests) == 0 {
			t.requests = []string{filepath.Join(args[0], "tests", "*.http")}
		}
		result, err := t.run(command.Context())
		if err != nil {
			return err
		}
		if err := result.print(command.OutOrStdout(), *output); err != nil {
			return err
		}
		if !result.OK {
			return errReported
		}
		return nil
	}
	return command
}

// trialTest is one run of a module's tests.
type trialTest struct {
	dir      string
	requests []string
	flags    *trialFlags
	native   bool
	progress io.Writer
}

// testResult is what `module test -o json` prints. Its keys are a contract.
type testResult struct {
	OK       bool         `json:"ok"`
	Module   string       `json:"module"`
	Language string       `json:"language"`
	Digest   string       `json:"digest"` // sha256 in hex, of what was tested
	Size     int          `json:"size"`   // bytes
	Native   *nativeTest  `json:"native,omitempty"`
	Requests []testedCase `json:"requests"`
}

// nativeTest is how `go test` went.
type nativeTest struct {
	OK     bool   `json:"ok"`
	Output string `json:"output,omitempty"`
}

// testedCase is one request.
type testedCase struct {
	Name         string   `json:"name"`
	OK           bool     `json:"ok"`
	Status       int      `json:"status,omitempty"`
	Milliseconds float64  `json:"milliseconds"`
	Wrong        []string `json:"wrong,omitempty"`
}

func (t *trialTest) run(ctx context.Context) (*testResult, error) {
	language, err := source.Detect(t.dir)
	if err != nil {
		return nil, failure{err}
	}
	requests, err := replay.Load(t.requests...)
	if err != nil {
		return nil, failure{err}
	}
	g, err := t.flags.start(ctx, t.progress)
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.Close() }()
	wasm, err := compile(ctx, t.progress, t.dir)
	if err != nil {
		return nil, failure{err}
	}
	result := &testResult{OK: true, Language: string(language), Size: len(wasm), Requests: []testedCase{}}
	if language == source.Go && t.native {
		if result.Native, err = t.goTest(ctx); err != nil {
			return nil, failure{err}
		}
		result.OK = result.Native.OK
	}
	gen, err := g.Load(ctx, wasm)
	if err != nil {
		return nil, failure{err}
	}
	result.Module, result.Digest = gen.Manifest().Name, gen.Digest()
	client := replay.Client()
	defer client.CloseIdleConnections()
	for i := range requests {
		c := try(ctx, client, &requests[i], g.URL())
		result.OK = result.OK && c.OK
		result.Requests = append(result.Requests, c)
	}
	return result, nil
}

// try sends one request and looks at its answer.
func try(ctx context.Context, client *http.Client, r *replay.Request, base string) testedCase {
	start := time.Now()
	a, err := r.Send(ctx, client, base)
	return judge(r, a, err, time.Since(start))
}

// judge holds an answer against what is expected.
func judge(r *replay.Request, a replay.Answer, err error, took time.Duration) testedCase {
	c := testedCase{Name: r.Name, Status: a.Status, Milliseconds: float64(took.Microseconds()) / 1000}
	if err != nil {
		c.Wrong = []string{"no answer: " + err.Error()}
	} else {
		c.Wrong = r.Expect.Check(a)
	}
	c.OK = len(c.Wrong) == 0
	return c
}

// goTest runs the Go tests of the folder, if it has any.
func (t *trialTest) goTest(ctx context.Context) (*nativeTest, error) {
	if tests, _ := filepath.Glob(filepath.Join(t.dir, "*_test.go")); len(tests) == 0 {
		return &nativeTest{OK: true, Output: "no test files"}, nil
	}
	defer working(t.progress, "go test "+t.dir)()
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", ".")
	cmd.Dir, cmd.Env, cmd.WaitDelay = t.dir, os.Environ(), time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return &nativeTest{OK: err == nil, Output: strings.TrimSpace(out.String())}, nil
}

func (r *testResult) print(w io.Writer, output string) error {
	if output == "json" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return failure{err}
		}
		return write(w, append(text, '\n'))
	}
	var b strings.Builder
	failed := 0
	if r.Native != nil {
		fmt.Fprintf(&b, "%s  native: %s\n", verdict(r.Native.OK), strings.ReplaceAll(r.Native.Output, "\n", "\n      "))
	}
	for _, c := range r.Requests {
		fmt.Fprintf(&b, "%s  %s (%d, %.1f ms)\n", verdict(c.OK), c.Name, c.Status, c.Milliseconds)
		for _, wrong := range c.Wrong {
			fmt.Fprintf(&b, "      %s\n", wrong)
		}
		if !c.OK {
			failed++
		}
	}
	fmt.Fprintf(&b, "%s  %d of %d requests; module %s, %s, %d bytes, sha256:%s\n",
		verdict(r.OK), len(r.Requests)-failed, len(r.Requests), r.Module, r.Language, r.Size, r.Digest)
	return write(w, []byte(b.String()))
}

func verdict(ok bool) string {
	if ok {
		return "pass"
	}
	return "FAIL"
}
