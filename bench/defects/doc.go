// Package defects shows what goes wrong in other Go locks, and that it does not
// in this one. Each test sets up the same fault twice: for the peer, where it
// asserts that the defect is there, so that what is claimed stays true of the
// version in go.mod, and for this project's lock, where it asserts that it is
// not.
//
// A peer's half that fails is good news: the defect was mended, and the list
// must be brought up to date. It judges nothing but these defects.
package defects
