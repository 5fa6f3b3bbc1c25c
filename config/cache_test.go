package config

import (
	"slices"
	"testing"
)

func TestRedisOptions(t *testing.T) {
	for name, c := range map[string]struct {
		options map[string]any
		want    RedisOptions
		err     string
	}{
		"all":        {map[string]any{"Host": "redis", "port": int64(6379), "password": "p", "DB": "2", "username": "u"}, RedisOptions{"redis:6379", "u", "p", 2}, ""},
		"few":        {map[string]any{"host": "::1", "port": "6379", "password": nil}, RedisOptions{Address: "[::1]:6379"}, ""},
		"no host":    {map[string]any{"host": "", "port": 1}, RedisOptions{}, "type redis needs host"},
		"no port":    {map[string]any{"host": "h", "password": "hunter2"}, RedisOptions{}, "type redis needs port"},
		"wrong port": {map[string]any{"host": "h", "port": 65536}, RedisOptions{}, `type redis wants a port from 1 to 65535, has "65536"`},
		"wrong db":   {map[string]any{"host": "h", "port": 1, "db": -1}, RedisOptions{}, `type redis wants a db from 0, has "-1"`},
	} {
		got, err := Cache{Type: "redis", Options: c.options}.Redis()
		if c.err == "" && (err != nil || got != c.want) || c.err != "" && (err == nil || err.Error() != c.err) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestOptionsThatNobodyReads(t *testing.T) {
	c := Default()
	c.Cache = Cache{Type: "redis", Options: map[string]any{"Host": "redis", "port": 6379, "prefix": "x"}}
	keys := []string{}
	for _, p := range c.doubts() {
		keys = append(keys, p.Key)
	}
	if !slices.Contains(keys, "cache.options.prefix") || slices.Contains(keys, "cache.options.Host") {
		t.Errorf("doubts about %q", keys)
	}
}
