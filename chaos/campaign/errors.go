package campaign

import "fmt"

// InputError says which field of what a campaign was given cannot be used, and
// why.
type InputError struct {
	Field  string // such as "seeds", "shard", or a file's path and field
	Value  string
	Reason string
}

// Error names the field, the value and the reason.
func (e *InputError) Error() string {
	return fmt.Sprintf("campaign: %s = %s: %s", e.Field, e.Value, e.Reason)
}

func bad(field string, value any, format string, args ...any) error {
	return &InputError{Field: field, Value: fmt.Sprint(value), Reason: fmt.Sprintf(format, args...)}
}

// FileError says which file cannot be used, and why.
type FileError struct {
	File   string
	Reason string
	Cause  error // may be nil
}

// Error names the file and the reason.
func (e *FileError) Error() string { return fmt.Sprintf("campaign: %s: %s", e.File, e.Reason) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Cause }
