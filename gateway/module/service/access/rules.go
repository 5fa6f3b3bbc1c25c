package access

import (
	"errors"
	"fmt"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/module/data"
	"github.com/posternhq/postern/hostabi"
)

// Bounds of the rules that one call holds against what somebody has. Each is held against each of the giver's.
const (
	maxRules = 1000
	maxWords = 10_000
)

// parseRules reads a JSON array of RBAC policy rules, member by member, as kube-apiserver reads them: names are compared
// exactly, while encoding/json would take Verbs for verbs and see other rights than are stored.
func parseRules(doc []byte) ([]authz.Rule, error) {
	array, ok := data.Get(doc, "")
	switch {
	case ok && string(array) == "null":
		return nil, nil
	case !ok || array[0] != '[':
		return nil, errors.New("rules are a JSON array of RBAC policy rules")
	}
	var rules []authz.Rule
	var err error
	words := 0
	data.Each(array, func(raw []byte) bool {
		var r authz.Rule
		if r, err = parseRule(raw, &words); err != nil {
			err = fmt.Errorf("rule %d: %w", len(rules), err)
			return false
		}
		if rules = append(rules, r); len(rules) > maxRules || words > maxWords {
			err = failure(hostabi.TooLarge, fmt.Sprintf("more than %d rules, or %d words in them", maxRules, maxWords))
		}
		return err == nil
	})
	return rules, err
}

func parseRule(raw []byte, words *int) (r authz.Rule, err error) {
	if raw[0] != '{' {
		return r, errors.New("is not an object")
	}
	for _, f := range []struct {
		pointer string
		into    *[]string
	}{
		{"/verbs", &r.Verbs},
		{"/apiGroups", &r.APIGroups},
		{"/resources", &r.Resources},
		{"/resourceNames", &r.ResourceNames},
		{"/nonResourceURLs", &r.NonResourceURLs},
	} {
		if *f.into, err = texts(raw, f.pointer); err != nil {
			return r, err
		}
		*words += len(*f.into)
	}
	return r, nil
}

// texts are the strings of an array; nil if there is none.
func texts(rule []byte, pointer string) (all []string, err error) {
	array, ok := data.Get(rule, pointer)
	if !ok || string(array) == "null" {
		return nil, nil
	}
	if array[0] != '[' {
		return nil, fmt.Errorf("%s is not an array", pointer[1:])
	}
	data.Each(array, func(raw []byte) bool {
		text, ok := data.Text(raw)
		if !ok || raw[0] != '"' {
			err = fmt.Errorf("%s has an element that is no text", pointer[1:])
			return false
		}
		all = append(all, string(text))
		return true
	})
	return all, err
}
