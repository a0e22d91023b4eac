// Package formula is the small expression language of computed fields.
//
//	if(probability >= 50 and not is_empty(amount), amount * probability / 100, amount * 0)
//
// # Values
//
// number (exact, of any size up to a bound; never a float), money (exact, with its
// currency), text, yes/no, date and time. Fields are named as the API names them,
// custom ones as custom.name. An empty field is empty: arithmetic with it is empty,
// a comparison with it is no, and and/or take it for no. So is what cannot be
// computed: division by zero, the sum of two currencies, a number beyond the bound.
// A formula therefore never fails while a record is saved.
//
// # Promises
//
// A program is parsed and type checked once, when the field is defined. It has no
// loops, at most maxNodes operations and maxDepth levels, its texts and numbers are
// bounded, and it looks at nothing but the record: no clock, no other rows. The same
// record gives the same value at any time.
package formula
