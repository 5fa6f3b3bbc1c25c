package hostabi_test

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/posternhq/postern/hostabi/assemblyscript"
	"github.com/posternhq/postern/hostabi/c"
	"github.com/posternhq/postern/hostabi/rust"
)

// constants are the numbers of abi.go by their names in other languages: FieldUserUID is FIELD_USER_UID.
func constants(t *testing.T) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "abi.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	if _, err := (&types.Config{Importer: importer.Default()}).Check("hostabi", files, []*ast.File{file}, info); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, object := range info.Defs {
		value, ok := object.(*types.Const)
		named, typed := types.Object(value), false
		if ok {
			_, typed = named.Type().(*types.Named)
		}
		if ok && typed && value.Val().Kind() == constant.Int {
			all[upper(value.Name())] = value.Val().ExactString()
		}
	}
	if len(all) < 65 {
		t.Fatalf("only %d constants", len(all))
	}
	return all
}

// upper is BadArgument as BAD_ARGUMENT, UserUID as USER_UID, OK as OK.
func upper(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) && unicode.IsLower(rune(name[i-1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// TestSDKsHaveTheConstants: each number of abi.go stands in each SDK, and no SDK has another one.
func TestSDKsHaveTheConstants(t *testing.T) {
	want := constants(t)
	for name, sdk := range map[string]struct {
		text string
		form string
	}{
		"c":              {string(c.Header), `POSTERN_([A-Z_]+) = (\d+)`},
		"rust":           {string(rust.Source), `pub const ([A-Z_]+): u32 = (\d+);`},
		"assemblyscript": {string(assemblyscript.Source), `export const ([A-Z_]+): u32 = (\d+);`},
	} {
		got := map[string]string{}
		for _, m := range regexp.MustCompile(sdk.form).FindAllStringSubmatch(sdk.text, -1) {
			got[m[1]] = m[2]
		}
		for constant, value := range want {
			if got[constant] != value {
				t.Errorf("%s: %s is %q, want %s", name, constant, got[constant], value)
			}
		}
		for constant := range got {
			if want[constant] == "" {
				t.Errorf("%s: %s is not in abi.go", name, constant)
			}
		}
	}
}

// TestSDKsHaveTheFunctions: each host function that ABI.md specifies is imported by each SDK.
func TestSDKsHaveTheFunctions(t *testing.T) {
	text, err := os.ReadFile("ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	functions := map[[2]string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| `\\(.*\\)").FindAllStringSubmatch(string(text), -1) {
		if !strings.HasPrefix(m[1], "postern_") {
			functions[[2]string{"postern/v1", m[1]}] = true
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(postern\\.[a-z]+/v1)` `([a-z]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		functions[[2]string{m[1], m[2]}] = true
	}
	if len(functions) < 28 {
		t.Fatalf("only %d functions found in ABI.md", len(functions))
	}
	for f := range functions {
		for name, sdk := range map[string]struct{ text, want string }{
			"c":              {string(c.Header), fmt.Sprintf("POSTERN_IMPORT(%q, %q)", f[0], f[1])},
			"assemblyscript": {string(assemblyscript.Source), fmt.Sprintf("@external(%q, %q)", f[0], f[1])},
			"rust":           {string(rust.Source), rustImport(f)},
		} {
			if !strings.Contains(sdk.text, sdk.want) {
				t.Errorf("%s: no %s", name, sdk.want)
			}
		}
	}
}

func rustImport(f [2]string) string {
	if f[0] == "postern/v1" {
		return "pub fn " + f[1] + "("
	}
	service := strings.TrimSuffix(strings.TrimPrefix(f[0], "postern."), "/v1")
	return fmt.Sprintf("#[link_name = %q]\n        pub fn %s_%s(", f[1], service, f[1])
}
