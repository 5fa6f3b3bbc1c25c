package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sessions configures how ended sessions and failed logins are kept.
type Sessions struct {
	JournalFile  string `json:"journalFile" restart:"true" doc:"keeps ended sessions over a restart, made if it is not there; empty: postern/sessions.journal in the user's state folder, and none where that cannot be written or another gateway has it"`
	WhenDown     string `json:"whenDown" default:"refuse" enum:"refuse,local" doc:"while Redis is gone: refuse answers 503 to logins by code or refresh token and to logouts; local has each replica go on with what it knows"`
	AddressTries int    `json:"addressTries" default:"0" check:"nonnegative" doc:"failed logins from one address within authenticateRateLimiterDuration before it is locked; 0: ten times authenticateRateLimiterMaxTries"`
}

// WhenDownLocal is the value of Sessions.WhenDown that goes on without Redis.
const WhenDownLocal = "local"

// RedisOptions are the options of a cache of type redis.
type RedisOptions struct {
	Address  string // host:port
	Username string // empty: the default user
	Password string
	DB       int
}

// redisNames are the options that there are.
var redisNames = []string{"host", "port", "password", "db", "username"}

// Redis reads the options of type redis; their names may be in any case, as upstream has it. Errors show no password.
func (c Cache) Redis() (o RedisOptions, err error) {
	values := map[string]any{}
	for name, v := range c.Options {
		if v != nil {
			values[strings.ToLower(name)] = v
		}
	}
	text := func(name string) string {
		if v, ok := values[name]; ok {
			return fmt.Sprint(v)
		}
		return ""
	}
	for _, name := range redisNames[:2] {
		if text(name) == "" {
			return o, errors.New("type redis needs " + name)
		}
	}
	if port, err := strconv.ParseUint(text("port"), 10, 16); err != nil || port == 0 {
		return o, fmt.Errorf("type redis wants a port from 1 to 65535, has %q", text("port"))
	}
	if db := text("db"); db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil || o.DB < 0 {
			return o, fmt.Errorf("type redis wants a db from 0, has %q", db)
		}
	}
	o.Address = net.JoinHostPort(text("host"), text("port"))
	o.Username, o.Password = text("username"), text("password")
	return o, nil
}

func (c *Config) cacheConflicts(fail func(key, message string)) {
	if c.Cache.Type == "redis" {
		if _, err := c.Cache.Redis(); err != nil {
			fail("cache.options", err.Error())
		}
	}
	a := c.Authentication
	if a.AuthenticateRateLimiterDuration > 0 && a.AuthenticateRateLimiterDuration < time.Millisecond {
		fail("authentication.authenticateRateLimiterDuration", "is less than a millisecond")
	}
}

// cacheDoubts names options that nobody reads.
func (c *Config) cacheDoubts(warn func(key, message string)) {
	if c.Cache.Type != "redis" {
		return
	}
	for name := range c.Cache.Options {
		if !slices.Contains(redisNames, strings.ToLower(name)) {
			warn("cache.options."+name, "type redis has no such option: it is ignored")
		}
	}
}
