// Package sheet reads the rows of an XLSX workbook as text, one row at a time.
//
// It is a reader for files of strangers. Nothing is unpacked to disk, a part is
// never held in memory as a whole except the shared strings, and every size is
// limited before and while it is unpacked: what the archive declares about itself is
// checked first and what it delivers is counted, since the first may be a lie.
//
// # What a cell becomes
//
// Numbers are written with a point and without exponent, rounded to the fifteen
// digits a spreadsheet computes with; percentages as "12.5%"; dates as 2026-11-21 or
// 2026-11-21 15:04:05 (a serial number is a date when the cell's format says so);
// truth as true and false; a formula as its last computed value; an error such as
// #N/A as nothing.
//
// # Why not a library
//
// The well-known one takes the whole archive into memory, and its row reader does not
// tell a date from a number. It writes the files of this package's tests.
//
// Not for: .xls (binary), .xlsb, passwords, or anything but values.
package sheet
