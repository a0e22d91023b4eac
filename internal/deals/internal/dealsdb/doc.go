// Package dealsdb holds the fixed-shape SQL of deals: what sqlc makes of
// queries/*.sql, and batch.go, which lets the reads of one page share a round
// trip. Rules, rights and visibility are decided by package deals, which passes
// them in as arguments.
package dealsdb
