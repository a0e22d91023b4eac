// Package scoringhttp is scoring's edge: REST for models and scores, and the settings page that shows how good the
// models are.
//
// Handlers decode, call the service and encode. The one thing of its own is the bulk decoder: ten thousand rows do not
// fit the limits of ordinary bodies.
package scoringhttp
