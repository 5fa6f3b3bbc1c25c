package module

import (
	"testing"

	"github.com/posternhq/postern/gateway/module/moduletest/guests"
)

// Short names for what the tests of this package share with the manager's.
var (
	build        = guests.Build
	saying       = guests.Saying
	ask          = guests.Ask
	eventually   = guests.Eventually
	i32          = guests.I32
	instructions = guests.Code
)

// assembly is a guest put together byte by byte; see guests.Assembly.
type assembly struct {
	imports                   [][2]string
	types, code, tables, data []byte
	about                     string
}

func (a assembly) bytes(t testing.TB) []byte {
	t.Helper()
	return guests.Assembly{Imports: a.imports, Types: a.types, Code: a.code, Tables: a.tables, Data: a.data, About: a.about}.Bytes(t)
}

const (
	opUnreachable = guests.OpUnreachable
	opLoop        = guests.OpLoop
	opIf          = guests.OpIf
	opEnd         = guests.OpEnd
	opBr          = guests.OpBr
	opCall        = guests.OpCall
	opDrop        = guests.OpDrop
	opLocalGet    = guests.OpLocalGet
	opI32Ne       = guests.OpI32Ne
	noBlockType   = guests.NoBlockType
)
