package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"crm/bench/installed"
	"crm/bench/load"
)

// readOne is a point read without any cache: a second process on the same database, told to keep nothing.
func readOne(ctx context.Context, s *suite) ([]figure, error) {
	return s.onReplica(ctx, "read_one", nil, 0)
}

// readOneLocal is a point read from the memory of the process that is asked.
func readOneLocal(ctx context.Context, s *suite) ([]figure, error) {
	ours, floors := s.pointReads()
	return s.against(ctx, "read_one_local", conns, ours, floors)
}

// readOneRedis is a point read from Redis, by a process that keeps nothing of its own. The CPU time of Redis counts.
func readOneRedis(ctx context.Context, s *suite) ([]figure, error) {
	redis, err := startRedis(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		return []figure{absent("read_one_redis", "redis-server is not installed")}, nil
	}
	if err != nil {
		return nil, err
	}
	defer redis.close()
	return s.onReplica(ctx, "read_one_redis", []string{"CRM_REDIS_URL=unix://" + redis.socket}, redis.cmd.Process.Pid)
}

func (s *suite) pointReads() (ours, floors [][]byte) {
	for _, id := range s.ids {
		ours = append(ours, s.get("/contacts/"+id.String()))
		floors = append(floors, load.Get("/contacts/"+id.String()))
	}
	return ours, floors
}

// onReplica measures point reads of a process of its own; beside is another whose CPU time counts, 0 = none.
func (s *suite) onReplica(ctx context.Context, name string, settings []string, beside int) (out []figure, err error) {
	srv, err := s.replica(ctx, append(settings, "CRM_CACHE_MB=0")...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	roots := []int{srv.PID(), s.postgres}
	if beside != 0 {
		roots = append(roots, beside)
	}
	ours, floors := s.pointReads()
	return s.duel(ctx, name, conns, srv.Addr, func() (cost, error) { return s.treeCPU(roots...) }, ours, floors)
}

// replica starts another process on the database of the installation.
func (s *suite) replica(ctx context.Context, settings ...string) (*installed.Server, error) {
	key, err := os.ReadFile(filepath.Join(s.srv.DataDir, "secret.key"))
	if err != nil {
		return nil, err
	}
	settings = append(settings, "CRM_DATABASE_URL="+s.cluster.URL("crm_app", "crm"), "CRM_SECRET_KEY="+strings.TrimSpace(string(key)))
	srv, err := installed.New(ctx, s.bin, settings...)
	if err != nil {
		return nil, err
	}
	srv.Role("web")
	if _, err := srv.Start(ctx); err != nil {
		return nil, errors.Join(err, srv.Close())
	}
	return srv, nil
}

// redisServer is a Redis on a socket of its own.
type redisServer struct {
	dir, socket string
	cmd         *exec.Cmd
}

func startRedis(ctx context.Context) (*redisServer, error) {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "crm-redis-")
	if err != nil {
		return nil, err
	}
	r := &redisServer{dir: dir, socket: filepath.Join(dir, "s")}
	r.cmd = exec.Command(bin, "--port", "0", "--unixsocket", r.socket, "--save", "", "--appendonly", "no", "--dir", dir) //nolint:noctx,gosec // ended by close
	if err := r.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for start := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", r.socket)
		if err == nil {
			return r, conn.Close()
		}
		if ctx.Err() != nil || time.Since(start) > 20*time.Second {
			r.close()
			return nil, fmt.Errorf("redis-server does not answer: %w", err)
		}
	}
}

func (r *redisServer) close() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait() // killed
	complain(os.RemoveAll(r.dir))
}

// readOneHalf is what people wait for when half of what a server can do is asked of it: point reads arrive at a steady
// rate, and the time counts from when one was due, sent or not. The floor is asked for half of its own.
func readOneHalf(ctx context.Context, s *suite) ([]figure, error) {
	ours, floors := s.pointReads()
	var sides [2]readings
	for range s.opt.rounds {
		for i, plan := range []load.Plan{{Addr: s.srv.Addr, Next: shuffled(ours)}, {Addr: s.floorAt, Next: shuffled(floors)}} {
			plan.Shape, plan.Want = load.Shape{Conns: conns, Duration: s.opt.round()}, 200
			peak, err := load.Run(ctx, plan)
			if err != nil {
				return nil, err
			}
			plan.Pace = time.Duration(float64(time.Second) * conns / (peak.Rate() / 2))
			half, err := load.Run(ctx, plan)
			if err != nil {
				return nil, err
			}
			r := &sides[i]
			r.rate, r.p50, r.p99 = append(r.rate, half.Rate()), append(r.p50, half.P(0.50)), append(r.p99, half.P(0.99))
		}
	}
	a, b := sides[0], sides[1]
	return []figure{
		rounds("read_one_half", "req/s", a.rate, "floor", b.rate),
		rounds("read_one_half_p50", "ms", a.p50, "floor", b.p50),
		rounds("read_one_half_p99", "ms", a.p99, "floor", b.p99),
	}, nil
}
