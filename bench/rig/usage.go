package rig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every architecture that Go knows (proc(5)).
const tick = 10 * time.Millisecond

// Usage is what the processes of a group have used.
type Usage struct {
	CPU       time.Duration // user and system time, of processes that live
	RSS       int64         // bytes; pages that processes share count for each
	Processes int
}

// GroupUsage adds up the processes of a process group.
func GroupUsage(group int) (Usage, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		s, err := parseStat(text)
		if err != nil {
			return Usage{}, fmt.Errorf("cannot read %s: %w", file, err)
		}
		if s.group == group {
			u.CPU += s.cpu
			u.RSS += s.pages * int64(os.Getpagesize())
			u.Processes++
		}
	}
	if u.Processes == 0 {
		return u, fmt.Errorf("process group %d has no process", group)
	}
	return u, nil
}

// stat is what is used of /proc/PID/stat.
type stat struct {
	group int
	cpu   time.Duration
	pages int64
}

var errStat = errors.New("not in the format of proc(5)")

// parseStat reads one line of /proc/PID/stat. The second field is the program's name in parentheses, which may hold
// anything, parentheses and spaces too.
func parseStat(text []byte) (stat, error) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return stat{}, errStat
	}
	fields := strings.Fields(string(text[end+1:])) // from field 3 of proc(5) on
	if len(fields) < 22 {
		return stat{}, errStat
	}
	var numbers [4]int64
	for i, field := range [4]int{5, 14, 15, 24} { // pgrp, utime, stime, rss
		n, err := strconv.ParseInt(fields[field-3], 10, 64)
		if err != nil {
			return stat{}, errors.Join(errStat, err)
		}
		numbers[i] = n
	}
	return stat{group: int(numbers[0]), cpu: time.Duration(numbers[1]+numbers[2]) * tick, pages: numbers[3]}, nil
}
