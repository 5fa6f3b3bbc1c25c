package seed

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/crypto/bcrypt"
)

// User is a seeded user of the platform.
type User struct {
	Name       string `json:"name"`
	Password   string `json:"password"`
	Hash       string `json:"hash"` // bcrypt of Password, kept so that seeding again changes nothing
	GlobalRole string `json:"globalRole"`
	Rights     string `json:"rights"` // for people to read
}

// Admin is the name of the user who may do everything.
const Admin = "admin"

// demoUsers is who is there; passwords are made on the first run.
var demoUsers = []User{
	{Name: Admin, GlobalRole: "platform-admin", Rights: "everything"},
	{Name: "alice", GlobalRole: "platform-regular", Rights: "everything in workspace demo"},
	{Name: "bob", GlobalRole: "platform-regular", Rights: "reads namespace demo-shop"},
}

// Users gives the users with their passwords, from the file at path (readable by its owner alone), which is made with
// random passwords when missing. With adminOnly it is the administrator alone.
func Users(path string, adminOnly bool) ([]User, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newUsers(path, adminOnly)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the users: %w", err)
	}
	var users []User
	if err := json.Unmarshal(data, &users); err != nil {
		return nil, fmt.Errorf("cannot read the users in %q: %w", path, err)
	}
	return users, nil
}

func newUsers(path string, adminOnly bool) ([]User, error) {
	users := append([]User(nil), demoUsers...)
	if adminOnly {
		users = users[:1]
	}
	for i := range users {
		users[i].Password = rand.Text() // 128 random bits, base32: nothing that a shell or a URL would touch
		hash, err := bcrypt.GenerateFromPassword([]byte(users[i].Password), bcrypt.DefaultCost)
		if err != nil {
			return nil, fmt.Errorf("cannot hash a password: %w", err)
		}
		users[i].Hash = string(hash)
	}
	data, err := json.MarshalIndent(users, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the users: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("cannot write the users: %w", err)
	}
	return users, nil
}
