package redlock

import (
	"fmt"
	"strings"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// UnsentError says that a driver did not send a request, so that the node has
// not executed it and will not: it is script.ErrNotSent.
type UnsentError struct {
	Reason string
	Cause  error // why there is no connection, where that is the reason; may be nil
}

// Error gives the reason and its cause.
func (e *UnsentError) Error() string { return withCause("not sent: "+e.Reason, e.Cause) }

// Is reports whether target is script.ErrNotSent.
func (e *UnsentError) Is(target error) bool { return target == script.ErrNotSent }

// Unwrap returns the cause.
func (e *UnsentError) Unwrap() error { return e.Cause }

// ConnectionError says that a connection ended while a request was on it: the
// node may have executed the request, or may still do so.
type ConnectionError struct {
	Reason string
	Cause  error // may be nil
}

// Error gives the reason and its cause.
func (e *ConnectionError) Error() string { return withCause(e.Reason, e.Cause) }

// Unwrap returns the cause.
func (e *ConnectionError) Unwrap() error { return e.Cause }

func withCause(reason string, cause error) string {
	if cause == nil {
		return reason
	}
	return reason + ": " + cause.Error()
}

// ProtocolError says that what listens at a node's address does not speak the
// Redis protocol, or exceeds what a script can answer. The connection was
// closed; requests on it have an unknown outcome.
type ProtocolError struct {
	Reason string
	Answer string // the first bytes of the offending answer, at most 64 of them
}

// Error gives the reason and quotes the answer.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("not a Redis answer: %s: %q", e.Reason, e.Answer)
}

// ServerError is an error that the node answered. It is script.ErrNotSent where
// it is certain that no script ran.
type ServerError struct {
	Code    string // the first word: LOADING, NOAUTH, BUSY, ERR, …
	Message string // the whole answer, Code included

	// relayed by a client that may have sent the request more than once: what
	// is said of the last time does not hold for the others.
	relayed bool
}

// Error is the node's answer.
func (e *ServerError) Error() string { return e.Message }

// Is reports whether target is script.ErrNotSent and the script certainly did
// not run.
//
// Only answers count that Redis gives before it looks at a script. READONLY,
// OOM, MISCONF and most of NOPERM are left out: commands within a script fail
// with them too, and what the script wrote before that stays. From 7.0 on such
// an error names the script, but not if the script caught it and returned it.
func (e *ServerError) Is(target error) bool {
	return target == script.ErrNotSent && !e.relayed && e.beforeScript()
}

func (e *ServerError) beforeScript() bool {
	if strings.Contains(e.Message, "script:") || strings.Contains(e.Message, "@user_script") {
		return false
	}
	switch e.Code {
	case "LOADING", "BUSY", "NOAUTH", "WRONGPASS", "NOSCRIPT",
		"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "CROSSSLOT":
		return true
	case "NOPERM":
		return strings.Contains(e.Message, "'evalsha' command") || strings.Contains(e.Message, "'eval' command")
	}
	return strings.HasPrefix(e.Message, "ERR max number of clients reached")
}

// UnsupportedError says that the node speaks the Redis protocol but does not
// know EVALSHA or EVAL: it is no Redis 6.2 or later, or an operator renamed the
// command. Nothing was executed: it is script.ErrNotSent.
type UnsupportedError struct {
	Answer string // what the node answered
}

// Error says what is needed and quotes the answer.
func (e *UnsupportedError) Error() string {
	return "not a Redis 6.2 or later with EVALSHA and EVAL: " + e.Answer
}

// Is reports whether target is script.ErrNotSent.
func (e *UnsupportedError) Is(target error) bool { return target == script.ErrNotSent }

// serverError types an error that the node answered. Its text comes from
// outside and ends up in logs, so it is bounded and made printable.
func serverError(answer string) error {
	answer = printable(answer)
	if rest, ok := strings.CutPrefix(strings.ToLower(answer), "err unknown command"); ok && !strings.Contains(rest, "script") {
		return &UnsupportedError{Answer: answer}
	}
	code, _, _ := strings.Cut(answer, " ")
	return &ServerError{Code: code, Message: answer}
}

// maxAnswer is how much of a node's error is kept, in bytes.
const maxAnswer = 512

func printable(s string) string {
	if len(s) > maxAnswer {
		s = s[:maxAnswer] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
