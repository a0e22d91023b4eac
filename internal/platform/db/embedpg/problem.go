package embedpg

import (
	"errors"
	"strings"
)

// Kinds of trouble, for errors.Is. The error that carries them is always a *Problem.
var (
	ErrInUse       = errors.New("data directory in use")
	ErrNoBinaries  = errors.New("postgresql not installed")
	ErrVersion     = errors.New("postgresql version does not fit the data")
	ErrOwner       = errors.New("data directory belongs to someone else")
	ErrUnreachable = errors.New("data directory unreachable for the database user")
	ErrSocket      = errors.New("socket not available")
	ErrDiskFull    = errors.New("disk full")
	ErrNoUser      = errors.New("no user to run the database as")
	ErrServer      = errors.New("postgresql failed")
)

// InstallHint is the command that brings the missing server on Debian and Ubuntu.
const InstallHint = "apt-get install postgresql"

// Problem is a failure put in words for the person who runs the program.
type Problem struct {
	Kind  error  // one of the Err values of this package
	What  string // what is wrong, one clause without a final full stop
	Next  string // what to do about it, imperative
	Cause error  // underlying error, may be nil
}

// Error is one sentence: what is wrong, the cause where it adds something, and the next step.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.What)
	if p.Cause != nil {
		b.WriteString(" (" + p.Cause.Error() + ")")
	}
	if p.Next != "" {
		b.WriteString(": " + p.Next)
	}
	return b.String()
}

// Unwrap makes errors.Is find both the kind and the cause.
func (p *Problem) Unwrap() []error {
	if p.Cause == nil {
		return []error{p.Kind}
	}
	return []error{p.Kind, p.Cause}
}

// fromOutput turns the last lines a server program printed into the Problem they mean. The programs run with
// LC_ALL=C, so the words are the English ones.
func fromOutput(program, dir, output string, cause error) *Problem {
	switch {
	case strings.Contains(output, "No space left on device"), strings.Contains(output, "Disk quota exceeded"):
		return diskFull(dir, cause)
	case strings.Contains(output, "database files are incompatible"):
		return &Problem{
			Kind: ErrVersion, Cause: cause,
			What: program + " cannot read the database files in " + dir + ": " + lastError(output),
			Next: "install the PostgreSQL version that wrote them",
		}
	case strings.Contains(output, "could not create any Unix-domain sockets"), strings.Contains(output, "could not create lock file"):
		return &Problem{
			Kind: ErrSocket, Cause: cause,
			What: "the database cannot open its socket: " + lastError(output),
			Next: "free that path, or set CRM_DATA_DIR to another directory",
		}
	case strings.Contains(output, "Permission denied"), strings.Contains(output, "has wrong ownership"), strings.Contains(output, "has invalid permissions"):
		return &Problem{
			Kind: ErrOwner, Cause: cause,
			What: program + " may not use " + dir + ": " + lastError(output),
			Next: "give the directory back to the user the database runs as, or set CRM_DATA_DIR to another directory",
		}
	}
	return &Problem{
		Kind: ErrServer, Cause: cause,
		What: program + " failed: " + lastError(output),
		Next: "read its messages above; the data in " + dir + " was not changed",
	}
}

func diskFull(dir string, cause error) *Problem {
	return &Problem{
		Kind: ErrDiskFull, Cause: cause,
		What: "the disk that holds " + dir + " is full",
		Next: "free some space there and start again; committed data is safe",
	}
}

// lastError picks the line of a server's output that names the trouble: the first PANIC or FATAL, else the last line.
func lastError(output string) string {
	last := "it printed nothing"
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "PANIC:") || strings.HasPrefix(line, "FATAL:") {
			return line
		}
		if line != "" {
			last = line
		}
	}
	return last
}
