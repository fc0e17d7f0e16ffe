// Package bench measures the lock beside other Go locks, in one run and on the
// same servers. A figure means something only as a ratio to another of the
// same run.
package bench
