package sim_test

import "testing"

// A client of another library cleans up as well as it can, and what nobody can
// clean up is not held against the lock. Campaigns found both.
func TestForeignClientsLeaveNothing(t *testing.T) {
	t.Run("a DEL was executed before the SET NX of its attempt, and answered after it", func(t *testing.T) {
		standsIn(t, "foreign-overtaken")
	})
	t.Run("a SET NX was held up until its node's name led to another server", func(t *testing.T) {
		standsIn(t, "foreign-elsewhere")
	})
}
