package seed

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"golang.org/x/crypto/bcrypt"
	"sigs.k8s.io/yaml"
)

func TestUsersAreMadeOnceAndKeptSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.json")
	first, err := Users(path, false)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
	seen := map[string]bool{}
	for _, u := range first {
		if bcrypt.CompareHashAndPassword([]byte(u.Hash), []byte(u.Password)) != nil {
			t.Errorf("%s: the hash is not the password's", u.Name)
		}
		if seen[u.Password] {
			t.Errorf("%s has somebody else's password", u.Name)
		}
		seen[u.Password] = true
	}
	second, err := Users(path, false)
	if err != nil || len(second) != len(first) || second[0] != first[0] {
		t.Errorf("the second run has other users: %v", err)
	}
	alone, err := Users(filepath.Join(t.TempDir(), "users.json"), true)
	if err != nil || len(alone) != 1 || alone[0].Name != Admin {
		t.Errorf("got %d users (%v), want %q alone", len(alone), err, Admin)
	}
}

// Every manifest is YAML of objects that say what they are, and no object appears twice.
func TestManifestsAreObjects(t *testing.T) {
	data := map[string]any{
		"Users": []User{{Name: "admin", Hash: "$2a$10$x", GlobalRole: "platform-admin"}}, "Nodes": Nodes,
		"CABundle": "eA==", "MetricsPort": 4443, "Now": "now",
	}
	entries, err := manifests.ReadDir("manifests")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, entry := range entries {
		text, err := manifests.ReadFile("manifests/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(entry.Name(), ".tmpl") {
			text = fill(t, string(text), data)
		}
		for _, document := range strings.Split("\n"+string(text), "\n---") {
			var object struct {
				APIVersion, Kind string
				Metadata         struct{ Name, Namespace string }
			}
			if err := yaml.UnmarshalStrict([]byte(document), &map[string]any{}); err != nil {
				t.Errorf("%s: %v", entry.Name(), err)
			}
			if err := yaml.Unmarshal([]byte(document), &object); err != nil || strings.TrimSpace(document) == "" {
				continue
			}
			id := strings.Join([]string{object.APIVersion, object.Kind, object.Metadata.Namespace, object.Metadata.Name}, " ")
			if object.APIVersion == "" || object.Kind == "" || object.Metadata.Name == "" {
				t.Errorf("%s: an object without apiVersion, kind or name:\n%s", entry.Name(), document)
			}
			if other, ok := seen[id]; ok {
				t.Errorf("%s is in %s and %s", id, other, entry.Name())
			}
			seen[id] = entry.Name()
		}
	}
}

func fill(t *testing.T, text string, data any) []byte {
	t.Helper()
	parsed, err := template.New("manifest").Option("missingkey=error").Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, data); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
