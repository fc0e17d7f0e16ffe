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
	network  string // tcp or unix
	address  string // host:port, or the socket's path
	host     string // without port and brackets, for TLS
	tls      bool
	auth     bool // whether to send AUTH
	user     string
	password string
	db       int
}

// defaultName is the name of a node for which none was given: host:port, and
// none for a socket, whose path means something else on every machine.
func (n nodeURL) defaultName() string {
	if n.network == "unix" {
		return ""
	}
	return n.address
}

// urlError says what is wrong with a node's URL. It never holds a password.
type urlError struct {
	value  string // the URL, redacted
	reason string
}

func (e *urlError) Error() string { return e.reason }

// parseNodeURL reads redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss:// for
// TLS, and unix://[USER:PASSWORD@]/PATH[?db=DB], also written redis-socket://.
// It refuses what it would otherwise have to ignore.
func parseNodeURL(raw string) (nodeURL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's own message quotes the URL and with it the password.
		return nodeURL{}, badURL(raw, "%s is not a URL (percent-encode special characters in the password)", redactURL(raw))
	}
	var n nodeURL
	switch u.Scheme {
	case "redis", "rediss":
		n, err = tcpURL(raw, u)
	case "unix", "redis-socket":
		n, err = unixURL(raw, u)
	default:
		err = badURL(raw, "scheme %q is none of redis, rediss, unix and redis-socket", u.Scheme)
	}
	if err != nil {
		return nodeURL{}, err
	}
	if u.User != nil {
		n.user = u.User.Username()
		n.password, n.auth = u.User.Password()
		if !n.auth {
			// Clients disagree whether a lone word is the user or the password.
			return nodeURL{}, badURL(raw, "a user without a password: write USER:PASSWORD@ or :PASSWORD@ in %s", redactURL(raw))
		}
	}
	return n, nil
}

func badURL(raw, format string, args ...any) error {
	return &urlError{value: redactURL(raw), reason: fmt.Sprintf(format, args...)}
}

// tcpURL reads all but the user.
func tcpURL(raw string, u *url.URL) (nodeURL, error) {
	if u.Opaque != "" || u.Hostname() == "" {
		return nodeURL{}, badURL(raw, "the host is missing in %s", redactURL(raw))
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nodeURL{}, badURL(raw, "query and fragment are not supported in %s", redactURL(raw))
	}
	n := nodeURL{network: "tcp", host: u.Hostname(), tls: u.Scheme == "rediss"}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	if p, err := strconv.ParseUint(port, 10, 16); err != nil || p == 0 {
		return nodeURL{}, badURL(raw, "port %q is not in 1…65535", port)
	}
	n.address = net.JoinHostPort(n.host, port)
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		return n.database(raw, db)
	}
	return n, nil
}

// unixURL reads all but the user.
func unixURL(raw string, u *url.URL) (nodeURL, error) {
	if u.Opaque != "" || u.Host != "" || len(u.Path) < 2 || u.Fragment != "" {
		return nodeURL{}, badURL(raw, "write the socket's absolute path as %s:///PATH, rather than %s", u.Scheme, redactURL(raw))
	}
	n := nodeURL{network: "unix", address: u.Path}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nodeURL{}, badURL(raw, "the query is malformed in %s", redactURL(raw))
	}
	for key, values := range query {
		if key != "db" || len(values) != 1 {
			return nodeURL{}, badURL(raw, "of a query only db=NUMBER is supported in %s", redactURL(raw))
		}
		return n.database(raw, values[0])
	}
	return n, nil
}

// database returns n with the database's number.
func (n nodeURL) database(raw, db string) (nodeURL, error) {
	d, err := strconv.ParseUint(db, 10, 31)
	if err != nil {
		return nodeURL{}, badURL(raw, "database %q is not a number", db)
	}
	n.db = int(d)
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
