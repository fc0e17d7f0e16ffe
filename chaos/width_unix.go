//go:build unix

package chaos

import (
	"os"
	"syscall"
	"unsafe"
)

// terminalWidth asks the terminal how many columns it has; 0 if it does not
// say.
func terminalWidth(f *os.File) int {
	var size struct{ rows, columns, x, y uint16 }
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0
	}
	return int(size.columns)
}
