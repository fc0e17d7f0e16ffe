package testenv

import "testing"

// suite is what every backend must be able to do.
var suite = []struct {
	name  string
	test  func(*testing.T, Backend)
	alone bool // looks at the whole process, in which nothing else may happen
}{
	{"StartAndClose", testStartAndClose, false},
	{"CloseReleasesFiles", testCloseReleasesFiles, true},
	{"CloseEndsFaultsUnderWay", testCloseEndsFaultsUnderWay, false},
	{"Password", testPassword, false},
	{"UnknownNames", testUnknownNames, false},
	{"KillAndRestart", testKillAndRestart, false},
	{"Terminate", testTerminate, false},
	{"PartialMemory", testPartialMemory, false},
	{"FreezeAndThaw", testFreezeAndThaw, false},
	{"Flush", testFlush, false},
	{"DemoteAndPromote", testDemoteAndPromote, false},
	{"ReplaceAndRoute", testReplaceAndRoute, false},
	{"Standby", testStandby, false},
	{"HealAll", testHealAll, false},
	{"KillOfAFrozenNode", testKillOfAFrozenNode, false},
	{"Disconnect", testDisconnect, false},
	{"DisconnectOfBrokenNodes", testDisconnectOfBrokenNodes, false},
	{"Cut", testCut, false},
	{"Hold", testHold, false},
	{"Delay", testDelay, false},
	{"Reset", testReset, false},
	{"Strand", testStrand, false},
	{"Repeat", testRepeat, false},
	{"LinksOfBrokenNodes", testLinksOfBrokenNodes, false},
	{"LinkFullOfBytes", testLinkFullOfBytes, false},
	{"FaultsOfClosingConnections", testFaultsOfClosingConnections, false},
	{"Confirmations", testConfirmations, false},
}

func TestProcesses(t *testing.T) {
	for _, s := range suite {
		t.Run(s.name, func(t *testing.T) { s.test(t, BackendProcess) })
	}
}

// Containers take their time, which is the engine's rather than ours.
func TestContainers(t *testing.T) {
	RequireEngine(t)
	for _, s := range suite {
		t.Run(s.name, func(t *testing.T) {
			if !s.alone {
				t.Parallel()
			}
			s.test(t, BackendContainer)
		})
	}
}
