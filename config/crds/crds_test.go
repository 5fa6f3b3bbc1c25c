package crds_test

import (
	"fmt"
	"sort"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/posternhq/postern/config/crds"
)

// definition is what the test looks at of a CustomResourceDefinition.
type definition struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Spec       struct {
		Group, Scope string
		Names        struct {
			Kind     string
			ListKind string `yaml:"listKind"`
			Plural   string
			Singular string
		}
		Versions []struct {
			Name            string
			Served, Storage bool
			Schema          struct {
				OpenAPIV3Schema map[string]any `yaml:"openAPIV3Schema"`
			}
		}
	}
}

func TestFilesAreDefinitionsThatKubernetesAccepts(t *testing.T) {
	kinds := map[string]bool{}
	for _, f := range crds.Files() {
		var d definition
		if err := yaml.Unmarshal(f.YAML, &d); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if d.APIVersion != "apiextensions.k8s.io/v1" || d.Kind != "CustomResourceDefinition" {
			t.Errorf("%s: is a %s %s", f.Name, d.APIVersion, d.Kind)
		}
		if want := d.Spec.Names.Plural + "." + d.Spec.Group; d.Metadata.Name != want {
			t.Errorf("%s: name is %q, want %q", f.Name, d.Metadata.Name, want)
		}
		if d.Spec.Scope != "Cluster" || d.Spec.Names.ListKind != d.Spec.Names.Kind+"List" {
			t.Errorf("%s: scope %q, list kind %q", f.Name, d.Spec.Scope, d.Spec.Names.ListKind)
		}
		if len(d.Spec.Versions) != 1 || !d.Spec.Versions[0].Served || !d.Spec.Versions[0].Storage {
			t.Errorf("%s: want one version, served and stored: %+v", f.Name, d.Spec.Versions)
			continue
		}
		for _, fault := range structural(d.Spec.Versions[0].Schema.OpenAPIV3Schema, "", false) {
			t.Errorf("%s: %s", f.Name, fault)
		}
		kinds[d.Spec.Group+"/"+d.Spec.Versions[0].Name+" "+d.Spec.Names.Kind] = true
	}
	for _, kind := range []string{
		"cluster.kubesphere.io/v1alpha1 Cluster", "iam.kubesphere.io/v1alpha2 GlobalRole", "iam.kubesphere.io/v1alpha2 GlobalRoleBinding",
		"iam.kubesphere.io/v1alpha2 Group", "iam.kubesphere.io/v1alpha2 GroupBinding", "iam.kubesphere.io/v1alpha2 LoginRecord",
		"iam.kubesphere.io/v1alpha2 RoleBase", "iam.kubesphere.io/v1alpha2 User", "iam.kubesphere.io/v1alpha2 WorkspaceRole",
		"iam.kubesphere.io/v1alpha2 WorkspaceRoleBinding", "tenant.kubesphere.io/v1alpha1 Workspace", "tenant.kubesphere.io/v1alpha2 WorkspaceTemplate",
	} {
		if !kinds[kind] {
			t.Errorf("no definition of %s", kind)
		}
	}
}

// structural lists what keeps a schema from being structural: a node without a type, or a property list without
// properties to it. https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
func structural(schema map[string]any, at string, anyType bool) []string {
	var faults []string
	if _, ok := schema["type"].(string); !ok && !anyType {
		return []string{at + ": no type"}
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range required(schema) {
		if _, ok := properties[name]; !ok {
			faults = append(faults, fmt.Sprintf("%s: required property %q is not defined", at, name))
		}
	}
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		faults = append(faults, child(properties[name], at+"."+name)...)
	}
	for _, inner := range []string{"items", "additionalProperties"} {
		if v, ok := schema[inner]; ok {
			faults = append(faults, child(v, at+"."+inner)...)
		}
	}
	if schema["type"] == "array" && schema["items"] == nil {
		faults = append(faults, at+": array without items")
	}
	return faults
}

func child(v any, at string) []string {
	schema, ok := v.(map[string]any)
	if !ok {
		return []string{at + ": not a schema"}
	}
	return structural(schema, at, schema["x-kubernetes-preserve-unknown-fields"] == true)
}

func required(schema map[string]any) []string {
	var names []string
	list, _ := schema["required"].([]any)
	for _, v := range list {
		names = append(names, fmt.Sprint(v))
	}
	return names
}
