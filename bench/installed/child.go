package installed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Child is a helper process that talks over its standard input and output, one line each way.
type Child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// NewChild runs this very program again in another role, so that its CPU time is its own.
func NewChild(ctx context.Context, args ...string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	c := &Child{cmd: exec.CommandContext(ctx, self, args...)} //nolint:gosec // ourselves
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	return c, nil
}

// PID of the helper.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Line waits for the helper's next line.
func (c *Child) Line() (string, error) {
	line, err := c.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the helper process ended early: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// Ask sends a line and returns the answer.
func (c *Child) Ask(line string) (string, error) {
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		return "", fmt.Errorf("ask the helper process: %w", err)
	}
	return c.Line()
}

// Close ends the helper: it is told by the end of its input, and killed when it does not listen.
func (c *Child) Close() error {
	err := c.in.Close()
	kill := time.AfterFunc(10*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	return errors.Join(err, c.cmd.Wait())
}
