package fuel

// body is a defined function.
type body struct {
	start, code, end uint32 // offsets of the locals, of the first instruction, and behind the last
	firstSite        uint32 // its sites end where those of the next function begin
	entryLoop        uint32 // 1 + its site that is the header of a loop which every call passes first, or 0
	indirect         bool   // contains call_indirect
	checked          bool   // counts a step at its entry
	cost             uint64 // code bytes that a call can run without counting
}

// site is a place in the code where the result differs from the input, or may do so.
type site struct {
	at   uint32 // offset of the instruction; of the index for siteCall and siteRef; behind the header for siteLoop
	arg  uint32 // function index, or depth of the label, or offset of the loop's end
	loop uint32 // for a branch: the site of its loop; for a loop: the number of branches to it
	size uint8  // bytes replaced
	kind siteKind
}

// maxBranches is how many branches back to a loop are counted one by one. A loop with more of them counts at its header, in
// one place, which is shorter: the Go compiler writes some functions as a single loop with hundreds of branches to it.
// Measured on a Go guest: with 8, tight loops are as fast as without limit, for 3 % more bytes instead of 12 %.
const maxBranches = 8

// atHeader says whether the steps of a loop are counted at its header.
func (s *site) atHeader() bool { return s.loop > maxBranches }

type siteKind uint8

const (
	siteCall siteKind = iota // index of a called function that moved
	siteRef                  // index in ref.func
	siteLoop                 // header of a loop
	siteBr                   // br to a loop
	siteBrIf                 // br_if to a loop
	siteBulk                 // instruction with its size on top of the stack; arg: binary logarithm of the size of a step
)

// branchesAtHeader, as the number of branches to a loop, says that the step must be counted at its header: a branch with
// operands on the stack, or a br_table, leaves no room for more at the branch.
const branchesAtHeader = 1 << 30
