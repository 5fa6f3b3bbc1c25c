package session

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
)

// A journal is text: this line, then one line a record, each with the CRC-32C of the rest in front, so that half of a line,
// which a crash may leave behind, is no other record.
const (
	journalHeader = "postern sessions 1\n"
	maxLine       = 16 << 10 // bytes; a quoted name may have four times its bytes, and a record has two
	sumDigits     = 8
)

var (
	errNoJournal = errors.New("it is no journal of sessions, or a newer version's")
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
)

// appendLine appends the line of r.
func appendLine(b []byte, r record) []byte {
	start := len(b)
	b = append(b, "00000000 "...)
	text := len(b)
	b = r.append(b)
	sum := strconv.AppendUint(nil, uint64(crc32.Checksum(b[text:], castagnoli)), 16)
	copy(b[start+sumDigits-len(sum):], sum)
	return append(b, '\n')
}

// parseLine reads what appendLine wrote, without the end of the line.
func parseLine(line []byte) (record, error) {
	if len(line) <= sumDigits || line[sumDigits] != ' ' {
		return record{}, errRecord
	}
	sum, err := strconv.ParseUint(string(line[:sumDigits]), 16, 32)
	text := line[sumDigits+1:]
	if err != nil || uint32(sum) != crc32.Checksum(text, castagnoli) {
		return record{}, errRecord
	}
	return parse(string(text))
}

// readJournal gives learn each record. Lines that are none are counted and left out: one of them, as the last, is what a crash
// leaves.
func readJournal(from io.Reader, learn func(record) error) (damaged int, err error) {
	in := bufio.NewReaderSize(from, maxLine)
	first, err := in.ReadSlice('\n')
	if len(first) == 0 && errors.Is(err, io.EOF) {
		return 0, nil
	}
	if string(first) != journalHeader {
		return 0, errNoJournal
	}
	for {
		line, whole, err := nextLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return damaged, err
		}
		if errors.Is(err, io.EOF) && len(line) == 0 && whole {
			return damaged, nil
		}
		r, bad := parseLine(line)
		if bad != nil || !whole {
			damaged++
		} else if err := learn(r); err != nil {
			return damaged, fmt.Errorf("cannot learn what it says: %w", err)
		}
		if err != nil {
			return damaged, nil
		}
	}
}

// nextLine is the next line, its end left out. It is not whole when it is too long, of which nothing is returned, or ends with
// the file; an empty one at the end of the file is no line.
func nextLine(in *bufio.Reader) (line []byte, whole bool, err error) {
	line, err = in.ReadSlice('\n')
	if err == nil {
		return line[:len(line)-1], true, nil
	}
	whole = len(line) == 0
	for errors.Is(err, bufio.ErrBufferFull) {
		line = nil
		_, err = in.ReadSlice('\n')
	}
	return line, whole, err
}
