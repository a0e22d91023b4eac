// Package dbtest gives a test a PostgreSQL database of its own, real and migrated, in some tens of milliseconds.
//
// Each test process runs one private server (package embedpg in its fast, undurable mode) in a slot directory under the
// system's temporary directory. Slots outlive processes: a slot is a cluster that was created once, and holds the migrated
// template the tests' databases are copied from. A process takes the first slot that no other process uses, so packages
// tested in parallel have servers of their own and never wait for each other, while the next run finds everything made.
// When the process ends, in whatever way, the kernel ends its server.
//
// The template is named after the migrations' fingerprint: a changed migration makes a new one.
//
// Tests may run in parallel. Nothing is shared between databases but the roles, which belong to the server: tests must
// not alter crm_owner, crm_app and crm_search. Autovacuum is off: run "analyze" before asserting on plans.
package dbtest
