// Package dealshttp is the edge of deals: the REST calls beyond the ones every
// object has (those come from the record kernel). Handlers decode, call the
// service and encode; the rules are in package deals.
package dealshttp
