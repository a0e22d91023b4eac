package errs

import (
	"errors"
	"syscall"
)

// OfDisk makes a full disk, quota or file size limit an answer people can act on; every
// other error stays what it is. Call it where a file of a request or a job is written.
func OfDisk(err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return Wrap(err, NoRoom, "no_room", "The server has no room left to keep this file. Make room on its disk, then do it again; nothing of it was kept.")
		}
	}
	return err
}
