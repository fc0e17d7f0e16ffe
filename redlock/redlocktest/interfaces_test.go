package redlocktest_test

import (
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
)

var (
	_ redlock.Driver = (*redlocktest.Driver)(nil)
	_ redlock.Clock  = redlocktest.Clock{}
)
