package fencing_test

import (
	"errors"
	"fmt"

	"github.com/quorumlock/quorumlock/fencing"
)

// A holder that slept through the end of its lease is refused, because the
// next holder has touched the resource in the meantime.
func ExampleGuard() {
	var guard fencing.Guard
	balance := 100
	withdraw := func(t fencing.Token, amount int) error {
		return guard.Do("account", t, func() error {
			balance -= amount
			return nil
		})
	}

	fmt.Println("first holder: ", withdraw(33, 10))
	fmt.Println("second holder:", withdraw(34, 20))

	// The first holder wakes up and still believes that it has the lock.
	err := withdraw(33, 50)
	fmt.Println("first holder: ", err)

	var stale *fencing.StaleError
	if errors.As(err, &stale) {
		fmt.Println("hint for its next attempt:", stale.Highest+1)
	}
	fmt.Println("balance:", balance)
	// Output:
	// first holder:  <nil>
	// second holder: <nil>
	// first holder:  fencing: "account": stale fencing token: 33 is below 34
	// hint for its next attempt: 35
	// balance: 70
}

// What a new holder reads can only be relied upon once the resource has seen
// its token: until then the previous holder's writes still land.
func ExampleGuard_Stamp() {
	var guard fencing.Guard
	page := "draft"
	edit := func(t fencing.Token, text string) error {
		return guard.Do("page", t, func() error {
			page = text
			return nil
		})
	}

	fmt.Println(guard.Stamp("page", 8))
	read := page
	fmt.Println(edit(7, "late edit of the previous holder"))
	fmt.Println(edit(8, read+", reviewed"), page)
	// Output:
	// <nil>
	// fencing: "page": stale fencing token: 7 is below 8
	// <nil> draft, reviewed
}
