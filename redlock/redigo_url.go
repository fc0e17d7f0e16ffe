package redlock

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

const defaultPort = "6379"

// nodeURL is what a node's URL says.
type nodeURL struct {
	address  string // host:port
	host     string // without port and brackets, for TLS
	tls      bool
	auth     bool // whether to send AUTH
	user     string
	password string
	db       int
}

// urlError says what is wrong with a node's URL. It never holds a password.
type urlError struct {
	value  string // the URL, redacted
	reason string
}

func (e *urlError) Error() string { return e.reason }

// parseNodeURL reads redis://[USER:PASSWORD@]HOST[:PORT][/DB], and rediss:// for
// TLS. It refuses what it would otherwise have to ignore.
func parseNodeURL(raw string) (nodeURL, error) {
	bad := func(format string, args ...any) (nodeURL, error) {
		return nodeURL{}, &urlError{value: redactURL(raw), reason: fmt.Sprintf(format, args...)}
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's own message quotes the URL and with it the password.
		return bad("%s is not a URL (percent-encode special characters in the password)", redactURL(raw))
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" {
		return bad("scheme %q is neither redis nor rediss", u.Scheme)
	}
	if u.Opaque != "" || u.Hostname() == "" {
		return bad("the host is missing in %s", redactURL(raw))
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return bad("query and fragment are not supported in %s", redactURL(raw))
	}
	n := nodeURL{host: u.Hostname(), tls: u.Scheme == "rediss"}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	if p, err := strconv.ParseUint(port, 10, 16); err != nil || p == 0 {
		return bad("port %q is not in 1…65535", port)
	}
	n.address = net.JoinHostPort(n.host, port)
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		d, err := strconv.ParseUint(db, 10, 31)
		if err != nil {
			return bad("database %q is not a number", db)
		}
		n.db = int(d)
	}
	if u.User != nil {
		n.user = u.User.Username()
		n.password, n.auth = u.User.Password()
		if !n.auth {
			// Clients disagree whether a lone word is the user or the password.
			return bad("a user without a password: write USER:PASSWORD@ or :PASSWORD@ in %s", redactURL(raw))
		}
	}
	return n, nil
}

// redactURL returns raw without what may be secret, whatever raw looks like: the
// user's password, a lone user (which some take for the password) and the query.
func redactURL(raw string) string {
	at := strings.LastIndexByte(raw, '@')
	if at < 0 {
		return cutQuery(raw)
	}
	start := 0
	if i := strings.Index(raw, "://"); i >= 0 && i < at {
		start = i + len("://")
	}
	shown := "…"
	if user, _, found := strings.Cut(raw[start:at], ":"); found {
		shown = cutQuery(user) + ":…"
	}
	return raw[:start] + shown + cutQuery(raw[at:])
}

// cutQuery drops what can be no part of host, port and database: the @ before s
// may itself stand in a query.
func cutQuery(s string) string {
	if i := strings.IndexAny(s, "?#&="); i >= 0 {
		return s[:i+1] + "…"
	}
	return s
}
