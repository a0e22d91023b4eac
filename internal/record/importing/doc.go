// Package importing takes in files: a CSV or XLSX of any origin becomes records of one
// object, and of those that come along with it, in the background, through the kernel's one change path.
//
// # The way of a file
//
//	upload → store and look (dialect, encoding, headings; refuse what is no table)
//	→ imports row and job in one transaction → survey of the whole file (how many
//	rows, how it writes numbers and dates, what type a new field needs) → plan
//	→ chunks of rows → links within the file → done
//
// # Invariants
//
//   - A chunk's records, its refused rows, the counters and the place in the file
//     are committed together. A process killed at any moment loses no row and
//     doubles none: whoever goes on starts where the last commit ended.
//   - read = created + updated + skipped + failed, at every moment; the database
//     checks it.
//   - Rows are written in the order of the file, so ids sort like the file does.
//   - All changes of an import carry its id as batch, so that it can be undone.
//   - The import acts with the rights of whoever asked for it.
//
// # What is guessed and what is asked
//
// A mapping the caller wrote, and a heading that is exactly a field's name, are
// taken at their word: a value that does not fit, or a name nobody has, refuses the
// row. A heading that was recognised as a synonym is a guess: an unknown owner, stage
// or choice is then left empty and counted as a warning, because losing 10,000
// contacts over a foreign sales rep's name would be the worse answer.
//
// # Failure
//
// A row that is refused is kept with its reason and does not stop the others. A
// file that cannot be read further fails the import; what went in stays and can be
// undone. Units: sizes are bytes, rates are rows a second of work, row numbers count
// the heading as 1, as a spreadsheet does.
//
// Not for: files of the size of a database (512 MiB is the limit), or for talking to
// other systems; connectors use the API.
package importing
