package redlock

import (
	"errors"
	"strings"
	"testing"
)

func TestParseNodeURL(t *testing.T) {
	for raw, want := range map[string]nodeURL{
		"redis://node.test":             {network: "tcp", address: "node.test:6379", host: "node.test"},
		"redis://node.test/":            {network: "tcp", address: "node.test:6379", host: "node.test"},
		"rediss://node.test:7/4":        {network: "tcp", address: "node.test:7", host: "node.test", tls: true, db: 4},
		"redis://[::1]:6380":            {network: "tcp", address: "[::1]:6380", host: "::1"},
		"redis://:@node.test":           {network: "tcp", address: "node.test:6379", host: "node.test", auth: true},
		"redis://u:a%3Ab%40c@node.test": {network: "tcp", address: "node.test:6379", host: "node.test", auth: true, user: "u", password: "a:b@c"},
		"unix:///run/redis.sock":        {network: "unix", address: "/run/redis.sock"},
		"unix:///run/a%20b?db=3":        {network: "unix", address: "/run/a b", db: 3},
		"unix://u:pw@/run/redis.sock":   {network: "unix", address: "/run/redis.sock", auth: true, user: "u", password: "pw"},
		"redis-socket://:pw@/r?db=0":    {network: "unix", address: "/r", auth: true, password: "pw"},
	} {
		if got, err := parseNodeURL(raw); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", raw, got, err, want)
		}
	}
}

// An error names what is wrong, and never the password, however the URL is broken.
func TestBadNodeURL(t *testing.T) {
	const secret = "s3cret"
	for raw, named := range map[string]string{
		"":                                       `scheme ""`,
		"node.test:6379":                         `scheme "node.test"`,
		"http://:s3cret@node.test":               `scheme "http"`,
		"redis:node.test":                        "host",
		"redis://":                               "host",
		"redis://:6379":                          "host",
		"redis://u:s3cret@:6379":                 "redis://u:…@:6379",
		"redis://node.test:0":                    `port "0"`,
		"redis://node.test:65536":                `port "65536"`,
		"redis://node.test:port":                 "redis://node.test:port",
		"redis://node.test/x":                    `database "x"`,
		"redis://node.test/-1":                   `database "-1"`,
		"redis://node.test/1/2":                  `database "1/2"`,
		"redis://node.test/99999999999":          `database "99999999999"`,
		"redis://node.test?password=s3cret":      "redis://node.test?…",
		"redis://node.test/1#s3cret":             "redis://node.test/1#…",
		"redis://s3cret@node.test":               "redis://…@node.test",
		"redis://u:s3cret%zz@node.test":          "redis://u:…@node.test",
		"redis://u:s3cret/more@node.test":        "redis://u:…@node.test",
		"redis://u:s3cret#x@y@node.test":         "redis://u:…@node.test",
		"redis://u:pw?s3cret@node.test":          "redis://u:…@node.test",
		"unix://":                                "unix:///PATH",
		"unix:///":                               "unix:///PATH",
		"unix://run/redis.sock":                  "unix://run/redis.sock",
		"unix:run/redis.sock":                    "absolute path",
		"unix:///r?password=s3cret":              "unix:///r?…",
		"unix:///r?db=1&db=2":                    "only db=NUMBER",
		"unix:///r?db=x":                         `database "x"`,
		"unix:///r?db=%zz":                       "malformed",
		"unix://s3cret@/r":                       "unix://…@/r",
		"redis-socket:///r#s3cret":               "redis-socket:///PATH",
		"redis://node.test?a=@b&p=s3cret":        "not supported",
		"redis://node.test?p=s3cret&a=:@b":       "not supported",
		"redis://u:pw@node.test?password=s3cret": "redis://u:…@node.test",
	} {
		_, err := parseNodeURL(raw)
		var bad *urlError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), named) {
			t.Errorf("%s: %v; want an error that names %s", raw, err, named)
			continue
		}
		if s := bad.value + bad.reason; strings.Contains(s, secret) {
			t.Errorf("%s: the error tells the password: %s", raw, s)
		}
	}
}
