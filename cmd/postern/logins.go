package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// maxLogins bounds the file of logins, bytes.
const maxLogins = 4 << 20

// login is what is kept of one user's login to one gateway.
type login struct {
	Server  string    `json:"server"` // URL, without a slash at its end
	User    string    `json:"user"`
	CA      []byte    `json:"certificateAuthority,omitempty"` // PEM; empty: the system's
	Access  string    `json:"accessToken"`
	Refresh string    `json:"refreshToken,omitempty"` // empty: the access token cannot be refreshed
	Expires time.Time `json:"expires,omitzero"`       // of the access token; zero: never
}

// early is how long before its end a token counts as over: clocks differ, and requests take their time.
const early = 30 * time.Second

func (l *login) fresh() bool {
	return l.Access != "" && (l.Expires.IsZero() || time.Until(l.Expires) > early)
}

// logins are the logins of the user of this machine.
type logins struct {
	Current string            `json:"current,omitempty"` // key of the last login
	All     map[string]*login `json:"logins"`            // by user@server
}

func loginKey(user, server string) string { return user + "@" + server }

// find is the login of user at server; either may be empty: then it is the current login's.
func (s *logins) find(user, server string) (*login, error) {
	if current := s.All[s.Current]; current != nil && (server == "" || server == current.Server) && (user == "" || user == current.User) {
		return current, nil
	}
	var found *login
	for _, l := range s.All {
		if (user == "" || l.User == user) && (server == "" || l.Server == server) {
			if found != nil {
				return nil, fmt.Errorf("cannot choose among several logins: name the server with --server, and the user")
			}
			found = l
		}
	}
	if found == nil {
		return nil, errNotLoggedIn(user, server)
	}
	return found, nil
}

// errNotLoggedIn says how to log in.
func errNotLoggedIn(user, server string) error {
	command := "postern login"
	if server != "" {
		command += " " + server
	} else {
		command += " https://GATEWAY"
	}
	if user != "" {
		command += " -u " + user
	}
	return failure{fmt.Errorf("nobody is logged in: run `%s`", command)}
}

// loginStore is the file that logins are kept in. Nobody but its owner may read it.
type loginStore struct{ path *string }

func loginFlag(command *cobra.Command) loginStore {
	return loginStore{command.Flags().String("login-file", "", "file that logins are kept in (default: postern/logins.json in the user's configuration folder)")}
}

func (s loginStore) file() (string, error) {
	if *s.path != "" {
		return filepath.Abs(*s.path)
	}
	base, err := os.UserConfigDir()
	if err != nil {
		return "", failure{fmt.Errorf("cannot keep logins: %w; name a file with --login-file", err)}
	}
	return filepath.Join(base, "postern", "logins.json"), nil
}

// read is what the file says; nothing, if there is none.
func (s loginStore) read() (*logins, error) {
	path, err := s.file()
	if err != nil {
		return nil, err
	}
	all := &logins{All: map[string]*login{}}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, failure{fmt.Errorf("cannot read logins: %w", err)}
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxLogins))
	if err == nil {
		err = json.Unmarshal(text, all)
	}
	if err != nil {
		return nil, failure{fmt.Errorf("cannot read logins from %q: %w; remove it, and log in again", path, err)}
	}
	for key, l := range all.All {
		if l == nil {
			delete(all.All, key)
		}
	}
	return all, nil
}

// change has f change what the file says, one process at a time: a refresh token is good once, and who uses it twice has
// their session ended. What f has changed is kept even if f fails.
func (s loginStore) change(f func(*logins) error) error {
	path, err := s.file()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return failure{fmt.Errorf("cannot keep logins: %w", err)}
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return failure{fmt.Errorf("cannot keep logins: %w", err)}
	}
	defer func() { _ = lock.Close() }() // which gives the lock up
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return failure{fmt.Errorf("cannot lock %q: %w", lock.Name(), err)}
	}
	all, err := s.read()
	if err != nil {
		return err
	}
	return errors.Join(f(all), writeLogins(path, all))
}

// writeLogins replaces the file in one step.
func writeLogins(path string, all *logins) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return failure{fmt.Errorf("cannot keep logins: %w", err)}
	}
	return replaceFile(path, append(text, '\n'), 0o600)
}

// replaceFile writes a file so that readers see the old or the new one.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return failure{fmt.Errorf("cannot write %q: %w", path, err)}
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return failure{errors.Join(fmt.Errorf("cannot write %q: %w", path, err), os.Remove(f.Name()))}
	}
	return nil
}
