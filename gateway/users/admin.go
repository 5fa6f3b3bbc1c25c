package users

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/kube"
)

// Admin says who is the first administrator.
type Admin struct {
	Name string // empty: none is made
	// Namespace and Secret name a Secret with the key password. Without that Secret the password is made and printed once.
	Namespace, Secret string
	// Print shows a password that was made. It is called at most once.
	Print func(name, password string)
}

// adminRole is the role that may do everything, as KubeSphere names it.
const adminRole = "platform-admin"

// makeAdmin makes the first administrator of a platform that has no user at all. It is never made again: whoever deletes
// it has another user.
func (w *Writer) makeAdmin(ctx context.Context) {
	if w.o.Admin.Name == "" {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.o.Store.UsersRead():
		}
		if w.o.Store.Users() > 0 {
			return
		}
		err := w.firstAdmin(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		w.o.Log.Warn().Err(err).Str("user", w.o.Admin.Name).Msg("cannot make the first administrator; trying again")
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// firstAdmin makes the role, its binding and last the user, so that what fails half-way is made whole by the next try.
func (w *Writer) firstAdmin(ctx context.Context) error {
	name := w.o.Admin.Name
	password, given, err := w.adminPassword(ctx)
	if err != nil {
		return err
	}
	hash, err := Hash(ctx, password)
	if err != nil {
		return fmt.Errorf("cannot use the password of the first administrator: %w", err)
	}
	if err := w.ensure(ctx, group+"globalroles", role(adminRole)); err != nil {
		return err
	}
	if err := w.ensure(ctx, group+"globalrolebindings", binding(name, adminRole)); err != nil {
		return err
	}
	err = w.kube.Create(ctx, userPath, user{
		APIVersion: "iam.kubesphere.io/v1alpha2", Kind: "User",
		Metadata: meta{Name: name, Annotations: map[string]string{changedAt: time.Now().UTC().Format(time.RFC3339)}},
		Spec:     userSpec{Password: hash}, Status: userStatus{State: account.Active},
	}, nil)
	if kube.Exists(err) {
		return nil // another replica was first
	}
	if err != nil {
		return err
	}
	w.o.Log.Info().Str("user", name).Str("globalRole", adminRole).Bool("passwordFromSecret", given).Msg("the first administrator was made")
	if !given {
		w.o.Admin.Print(name, password)
	}
	return nil
}

// adminPassword is the password of the Secret, or a new one of 128 random bits.
func (w *Writer) adminPassword(ctx context.Context) (password string, given bool, err error) {
	a := w.o.Admin
	if a.Secret == "" {
		return rand.Text(), false, nil
	}
	var secret struct{ Data map[string][]byte }
	err = w.kube.Get(ctx, "/api/v1/namespaces/"+url.PathEscape(a.Namespace)+"/secrets/"+url.PathEscape(a.Secret), nil, &secret)
	switch {
	case kube.Missing(err):
		return rand.Text(), false, nil
	case err != nil:
		return "", false, err
	case len(secret.Data["password"]) == 0:
		return "", false, errors.New("the Secret of the first administrator has no key password")
	}
	return string(secret.Data["password"]), true, nil
}

// ensure creates an object that may be there already.
func (w *Writer) ensure(ctx context.Context, path string, object any) error {
	if err := w.kube.Create(ctx, path, object, nil); err != nil && !kube.Exists(err) {
		return err
	}
	return nil
}

func role(name string) any {
	all := []string{"*"}
	return map[string]any{
		"apiVersion": "iam.kubesphere.io/v1alpha2", "kind": "GlobalRole", "metadata": meta{Name: name},
		"rules": []any{
			map[string]any{"apiGroups": all, "resources": all, "verbs": all},
			map[string]any{"nonResourceURLs": all, "verbs": all},
		},
	}
}

func binding(name, role string) any {
	return map[string]any{
		"apiVersion": "iam.kubesphere.io/v1alpha2", "kind": "GlobalRoleBinding",
		"metadata": meta{Name: name + "-" + role, Labels: map[string]string{userLabel: name}},
		"roleRef":  map[string]string{"apiGroup": "iam.kubesphere.io", "kind": "GlobalRole", "name": role},
		"subjects": []any{map[string]string{"apiGroup": "iam.kubesphere.io", "kind": "User", "name": name}},
	}
}
