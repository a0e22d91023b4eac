// Package embedpg runs a private PostgreSQL cluster for an installation that was given no database address.
//
// # What it promises
//
// One call to [Start] leaves a server that only this installation can reach: no TCP port, a unix socket in a
// 0700 directory, and peer authentication for three operating-system users at most (root, whoever starts the
// program, and the unprivileged user the server runs as). There is no password to leak or to lose. The server
// carries the roles and the database the rest of the program expects, see bootstrap.sql.
//
// Acknowledged commits survive every kind of death: fsync and synchronous_commit stay on and pages carry
// checksums. Only [Config].FastUnsafe, meant for tests, trades that away.
//
// # Who owns the server
//
// The server is a child process, and exactly one process is its parent, which a lock on the file
// "postgres.lock" in the data directory decides. [Start] becomes that parent. [Attach] is for short commands
// beside a running program: it uses the server somebody else keeps alive, and starts one for the call if nobody does.
//
// # What happens when something dies
//
//   - The parent ends in whatever way, kill -9 included: the kernel sends the server SIGINT (parent-death
//     signal) and it shuts down cleanly within moments. Nothing is left running.
//   - The server is killed: the parent clears what is left of it, starts it again, and PostgreSQL replays its
//     log. Connections break, a pool that reconnects sees the same rows again. [Cluster.Restarts] counts it.
//   - The server cannot be brought back (disk full, crash loop): [Cluster.Done] closes and [Cluster.Err] has
//     one sentence for the operator. The program should then exit.
//   - Everything dies at once, or the machine loses power: the next Start finds a stale postmaster.pid and a
//     stale socket lock, whose process ids may meanwhile be zombies or strangers. It proves that no server works on the
//     directory, removes both traces and lets PostgreSQL recover.
//
// # Layout under Config.Dir
//
//	postgres.lock            who is the parent (flock; holds the parent's pid for people)
//	postgres/postgresql.conf written anew at every start, as are pg_hba.conf and pg_ident.conf
//	postgres/data            the cluster (PGDATA), owned by the server's user, mode 0700
//	postgres/data.init       a cluster being created; renamed to data when complete, else thrown away
//	postgres/run             the socket, unless the path is too long for one (see socketDir)
//
// Every failure an operator can mend is a [*Problem]: one sentence and the next step.
//
// It is not a general process supervisor, it does not upgrade between major versions, and it is Linux only.
package embedpg
