// Package floor is the least a program can do for the same answers from the same database: chi, pgx, one statement,
// encoding/json. The distance to it is the price of everything the product adds (rights, field rights, filters as
// data, journal, search, idempotency), and that price is what the benchmarks watch.
//
// It must stay honest in both directions. It reads the same columns through the same role under the same row level
// security, with the tenant set in the same round trip as the query; and it is written the way a careful person writes
// a small service, without tricks the product could not use.
//
// It has no rights, no filters besides the one measured, no errors worth reading. Never serve it to anybody.
package floor
