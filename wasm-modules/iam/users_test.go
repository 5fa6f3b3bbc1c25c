package main

import (
	"strings"
	"testing"
)

// usersAre: one user, lists, login records; a user that is not there is a 404 (ks-apiserver: 500).
func usersAre(t *testing.T, b *bench) {
	u := b.object(t, "admin", "GET /users/admin", "")
	equal(t, "role", u.annotation(globalRoleNote), "platform-admin")
	equal(t, "email", u.text("spec", "email"), "admin@example.com")
	if u.at("spec", "password") != nil {
		t.Error("the password is there")
	}
	says(t, b.ask(t, "admin", "GET /users/ghost", "", 404), `users.iam.kubesphere.io \"ghost\" not found`)
	names, total := b.list(t, "admin", "GET /users?sortBy=name&ascending=true&limit=2&page=2")
	equal(t, "page", names, "bob boris")
	equal(t, "total", total, 7)
	list := b.object(t, "admin", "GET /users?name=admin", "")
	equal(t, "role in the list", list.objects("items")[0].annotation(globalRoleNote), "platform-admin")
	says(t, b.ask(t, "admin", "GET /users?_=1&limit=1", "", 200), `"totalItems":7`)
	says(t, b.log[len(b.log)-1], "Warning: 299")

	b.world.add(loginRecords, `{"metadata":{"name":"r1","labels":{"iam.kubesphere.io/user-ref":"bob"}}}`)
	b.world.add(loginRecords, `{"metadata":{"name":"r2","labels":{"iam.kubesphere.io/user-ref":"alice"}}}`)
	names, _ = b.list(t, "admin", "GET /users/bob/loginrecords")
	equal(t, "login records", names, "r1")
	b.ask(t, "admin", "GET /users/ghost/loginrecords", "", 404)
	equal(t, "roles of admin", b.array(t, "admin", "GET /users/admin/globalroles", ""), "platform-admin")
	equal(t, "roles of bob", b.array(t, "admin", "GET /users/bob/globalroles", ""), "")
	b.ask(t, "admin", "GET /users/ghost/globalroles", "", 404)
}

// passwords are stored hashed and never shown, and changing one ends the user's sessions.
func passwords(t *testing.T, b *bench) {
	b.object(t, "admin", "POST /users", `{"metadata":{"name":"new"},"spec":{"email":"new@example.com","password":"one"}}`)
	stored := b.world.object(users, "", "new")
	equal(t, "stored", stored.text("spec", "password"), hashed("one"))
	equal(t, "state", stored.text("status", "state"), active)

	b.ask(t, "admin", "PUT /users/new/password", `{"password":"two"}`, 200)
	equal(t, "changed", b.world.object(users, "", "new").text("spec", "password"), hashed("two"))
	equal(t, "sessions ended", strings.Join(b.world.ended, " "), "new")
	b.ask(t, "admin", "PUT /users/new/password", `{"password":""}`, 400)
	says(t, b.ask(t, "admin", "PUT /users/new/password", `{"password":"`+strings.Repeat("x", 73)+`"}`, 400), "72 bytes")
	b.ask(t, "admin", "PUT /users/new/password", `{"currentPassword":"one","password":"three"}`, 400)
	b.ask(t, "admin", "PUT /users/ghost/password", `{"password":"x"}`, 404)

	// Otto has a right to his own password only, and has to know it.
	says(t, b.ask(t, "otto", "PUT /users/otto/password", `{"password":"x"}`, 400), "currentPassword is missing")
	b.ask(t, "otto", "PUT /users/otto/password", `{"currentPassword":"guess","password":"x"}`, 400)
	b.ask(t, "otto", "PUT /users/otto/password", `{"currentPassword":"too often","password":"x"}`, 429)
	says(t, b.log[len(b.log)-1], "Retry-After: 7")
	b.ask(t, "otto", "PUT /users/otto/password", `{"currentPassword":"otto-secret","password":"x"}`, 200)
	equal(t, "his own", b.world.object(users, "", "otto").text("spec", "password"), hashed("x"))
	b.world.logins = 2
	b.ask(t, "otto", "PUT /users/otto/password", `{"currentPassword":"x","password":"y"}`, 200)
	otto := b.world.object(users, "", "otto")
	equal(t, "beside a login", otto.text("spec", "password")+otto.text("status", "lastLoginTime"), hashed("y")+"2026-01-01T00:00:07Z")
	b.ask(t, "bob", "PUT /users/admin/password", `{"password":"x"}`, 403)
	b.ask(t, "ursula", "PUT /users/bob/password", `{"password":"x"}`, 200)

	b.object(t, "admin", "POST /users", `{"metadata":{"name":"none"}}`)
	equal(t, "state without a password", b.world.object(users, "", "none").text("status", "state"), "")
	b.ask(t, "admin", "POST /users", `{"metadata":{"name":"long"},"spec":{"password":"`+strings.Repeat("ü", 37)+`"}}`, 400)
}

// createWithRole: a user and its role come together or not at all.
func createWithRole(t *testing.T, b *bench) {
	body := func(name, role string) string {
		return `{"metadata":{"name":"` + name + `","annotations":{"iam.kubesphere.io/globalrole":"` + role + `"}},"spec":{"password":"secret"}}`
	}
	u := b.object(t, "admin", "POST /users", body("root", "platform-admin"))
	equal(t, "role", u.annotation(globalRoleNote), "platform-admin")
	equal(t, "annotation stored", b.world.object(users, "", "root").annotation(globalRoleNote), "")
	binding := b.world.object(globalRoleBindings, "", "root-platform-admin")
	equal(t, "label", binding.label(userLabel), "root")

	b.ask(t, "admin", "POST /users", body("root", "nobody"), 409)
	b.ask(t, "admin", "POST /users", body("x", "not-there"), 404)
	says(t, b.ask(t, "ursula", "POST /users", body("x", "platform-admin"), 403), "you do not have")
	b.ask(t, "ursula", "POST /users", body("y", "users-manager"), 200)
	b.ask(t, "ursula", "POST /users", body("z", "nobody"), 200)
	b.ask(t, "boris", "POST /users", body("v", "platform-admin"), 200) // who may bind
	b.world.failing["create globalrolebindings"] = 0
	b.ask(t, "admin", "POST /users", body("half", "nobody"), 503)
	if b.world.object(users, "", "half") != nil {
		t.Error("a user without its role has stayed")
	}
	// A binding that waits for a name is not for whoever makes the user.
	b.world.bound(global, "", "platform-admin", "waiting")
	b.ask(t, "ursula", "POST /users", `{"metadata":{"name":"waiting"}}`, 403)
	b.ask(t, "admin", "POST /users", `{"metadata":{"name":"waiting"}}`, 200)

	b.ask(t, "admin", "POST /users", `{"metadata":{"name":"again"},"spec":{"email":"bob@example.com"}}`, 409)
	b.ask(t, "admin", "POST /users", `{"metadata":{"name":"grouped"},"spec":{"groups":["demo-devs"]}}`, 400)
	b.ask(t, "admin", "POST /users", `{"metadata":{"name":"odd"},"status":{"state":"AuthLimitExceeded"}}`, 400)
	b.ask(t, "admin", "POST /users", `{"spec":{}}`, 400)
}

// updates keep password, groups and status, but for enabling and disabling.
func updates(t *testing.T, b *bench) {
	b.ask(t, "admin", "PUT /users/bob", `{"metadata":{"name":"alice"}}`, 400)
	b.ask(t, "admin", "PUT /users/ghost", `{"metadata":{"name":"ghost"}}`, 404)
	put := func(text string) object {
		return b.object(t, "admin", "PUT /users/bob", `{"metadata":{"name":"bob"},`+text+`}`)
	}
	put(`"spec":{"email":"new@example.com","password":"plain","groups":["demo-devs"],"lang":"de"}`)
	bob := b.world.object(users, "", "bob")
	equal(t, "password", bob.text("spec", "password"), hashed("bob-secret"))
	equal(t, "groups", len(bob.texts("spec", "groups")), 0)
	equal(t, "email", bob.text("spec", "email"), "new@example.com")
	equal(t, "state", bob.text("status", "state"), active)

	put(`"status":{"state":"Disabled"}`)
	equal(t, "state", b.world.object(users, "", "bob").text("status", "state"), disabled)
	equal(t, "sessions ended", strings.Join(b.world.ended, " "), "bob")
	put(`"status":{"state":"Active"}`)
	equal(t, "state", b.world.object(users, "", "bob").text("status", "state"), active)
	b.ask(t, "admin", "PUT /users/bob", `{"metadata":{"name":"bob"},"status":{"state":"AuthLimitExceeded"}}`, 400)
	b.ask(t, "admin", "PUT /users/bob", `{"metadata":{"name":"bob"},"spec":{"email":"alice@example.com"}}`, 409)
	b.ask(t, "admin", "PUT /users/bob", `{"metadata":{"name":"bob","resourceVersion":"1"}}`, 409)

	// The platform's role comes and goes by annotation, as far as the caller has it.
	role := `{"metadata":{"name":"bob","annotations":{"iam.kubesphere.io/globalrole":"users-manager"}}}`
	u := b.object(t, "ursula", "PUT /users/bob", role)
	equal(t, "role", u.annotation(globalRoleNote), "users-manager")
	b.ask(t, "ursula", "PUT /users/bob", strings.Replace(role, "users-manager", "platform-admin", 1), 403)
	b.object(t, "admin", "PUT /users/bob", strings.Replace(role, "users-manager", "nobody", 1))
	equal(t, "bindings", b.world.names(globalRoleBindings), "admin-platform-admin bob-nobody")
	// Who an account elsewhere belongs to is as good as its password.
	b.ask(t, "boris", "PUT /users/bob", `{"metadata":{"name":"bob","labels":{"iam.kubesphere.io/origin-uid":"boris"}}}`, 403)
}

// deletes: with a user go its roles, its memberships and its records; others stay.
func deletes(t *testing.T, b *bench) {
	b.world.bound(workspace, "demo", "demo-viewer", "bob")
	b.world.bound(cluster, "", "view", "bob")
	b.world.add(clusterRoleBindings, `{"metadata":{"name":"by-hand"},"roleRef":{"kind":"ClusterRole","name":"view"},
		"subjects":[{"kind":"User","name":"bob"},{"kind":"User","name":"alice"}]}`)
	b.world.add(groupBindings, `{"metadata":{"name":"gb"},"groupRef":{"name":"demo-devs"},"users":["bob","alice"]}`)
	b.world.add(loginRecords, `{"metadata":{"name":"r1","labels":{"iam.kubesphere.io/user-ref":"bob"}}}`)
	b.ask(t, "admin", "DELETE /users/ghost", "", 404)

	b.world.failing["delete users"] = 0
	b.ask(t, "admin", "DELETE /users/bob", "", 503)
	equal(t, "what came back", b.world.names(roleBindings), "demo-shop/bob-viewer")
	equal(t, "answer", b.ask(t, "admin", "DELETE /users/bob", "", 200), `{"message":"success"}`)
	for _, k := range []*kind{roleBindings, loginRecords} {
		equal(t, k.resource, b.world.names(k), "")
	}
	equal(t, "workspace", b.world.names(workspaceRoleBindings), "alice-demo-admin")
	equal(t, "cluster", b.world.names(clusterRoleBindings), "by-hand")
	equal(t, "others of the binding", len(b.world.object(clusterRoleBindings, "", "by-hand").objects("subjects")), 1)
	equal(t, "group", strings.Join(b.world.object(groupBindings, "", "gb").texts("users"), " "), "alice")
	equal(t, "sessions ended", strings.Join(b.world.ended, " "), "bob")
	b.ask(t, "admin", "GET /users/bob", "", 404)
}

// filters are those of lists of users.
func filters(t *testing.T, b *bench) {
	b.world.objects["users"][6].set([]any{"demo-devs"}, "spec", "groups") // carol
	for _, c := range inOrder(map[string]string{
		"email=bob@example.com":                        "bob",
		"ingroup=demo-devs":                            "carol",
		"notingroup=demo-devs&name=o":                  "bob boris otto",
		"workspace=demo":                               "alice",
		"workspace=demo&workspacerole=demo-admin":      "alice",
		"workspace=demo&workspacerole=demo-viewer":     "",
		"namespace=demo-shop&role=viewer":              "bob",
		"globalrole=platform-admin":                    "admin",
		"cluster=host":                                 "",
		"workspace=demo&globalrole=platform-admin":     "",
		"workspace=nowhere":                            "",
		"workspace=demo,kubesphere.io/workspace!=x":    "",
		"email=bob@example.com&globalrole=nobody":      "",
		"names=bob,alice&workspace=demo&unknown=param": "alice",
	}) {
		query, want := c.key, c.value
		names, _ := b.list(t, "admin", "GET /users?sortBy=name&ascending=true&"+query)
		equal(t, query, names, want)
	}
	// The members of a place are for those to see who may list them there.
	b.ask(t, "ursula", "GET /users?workspace=demo", "", 403)
	b.ask(t, "admin", "GET /users?labelSelector=a+b+c", "", 400)
}
