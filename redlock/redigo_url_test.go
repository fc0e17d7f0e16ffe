package redlock

import (
	"errors"
	"strings"
	"testing"
)

func TestParseNodeURL(t *testing.T) {
	for raw, want := range map[string]nodeURL{
		"redis://node.test":             {address: "node.test:6379", host: "node.test"},
		"redis://node.test/":            {address: "node.test:6379", host: "node.test"},
		"rediss://node.test:7/4":        {address: "node.test:7", host: "node.test", tls: true, db: 4},
		"redis://[::1]:6380":            {address: "[::1]:6380", host: "::1"},
		"redis://:@node.test":           {address: "node.test:6379", host: "node.test", auth: true},
		"redis://u:a%3Ab%40c@node.test": {address: "node.test:6379", host: "node.test", auth: true, user: "u", password: "a:b@c"},
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
	if d, err := newRedigoDriver("redis://", driverOptions{}); d != nil || err == nil {
		t.Errorf("a driver of a bad URL: %v, %v", d, err)
	}
}
