package httpwasm

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// wazero's file cache and prometheus keep nothing running; net/http's idle connections are closed by the tests.
	goleak.VerifyTestMain(m)
}
