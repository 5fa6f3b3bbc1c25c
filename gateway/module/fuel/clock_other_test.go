//go:build !linux

package fuel

import "time"

func threadTime() int64 { return time.Now().UnixNano() }
