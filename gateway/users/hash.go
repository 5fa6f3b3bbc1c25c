package users

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/crypto/bcrypt"
)

// hashing bounds how many hashes are made at once: each takes some 60 ms of a CPU.
var hashing = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))

// MaxPassword is the longest password in bytes: bcrypt would ignore what is behind, so more is refused.
const MaxPassword = 72

// Errors of Hash.
var (
	ErrEmptyPassword = errors.New("the password is empty")
	ErrLongPassword  = fmt.Errorf("the password is longer than %d bytes", MaxPassword)
)

// Hash is the bcrypt hash of a password, of cost 10 as KubeSphere's. It waits for a CPU until ctx ends.
func Hash(ctx context.Context, password string) (string, error) {
	switch {
	case password == "":
		return "", ErrEmptyPassword
	case len(password) > MaxPassword:
		return "", ErrLongPassword
	}
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return "", fmt.Errorf("cannot hash a password: %w", err)
	}
	return string(hash), nil
}
