// Package learn trains lead scores on a tenant's own outcomes, inside the process, and judges them honestly.
//
// The way from outcomes to a score:
//
//	Table ──► guards ──► Layout ──► ridge + trees, per window ──► blend ──► calibration ──► Model
//	                                     choose on the latest part of the older rows        │
//	                                                                Report on the held-out latest fifth
//
// A [Table] has one row per lead as it stood at its scoring moment, oldest first, with the outcome. Making it so is the
// caller's duty: a field that was filled in later leaks the outcome and no statistics can fully tell. The guards catch
// the gross cases: a field that alone nearly tells the outcome is named in a warning; a field that is nearly a function
// of time is dropped, because "a good month" never comes back for a new lead.
//
// A [Layout] turns a record into a vector of float32: numbers as they are with NaN for missing, categories as one slot
// per common level plus "rare" and "missing". It is JSON, carries its own hash and travels with the model.
//
// A [Model] is a ridge logistic regression blended with boosted trees (subpackages ridge and gbdt). The ridge is steady
// with forty conversions, the trees pay off with thousands, the blend is best or near it everywhere. Two calibration
// constants make its probabilities mean what they say. [Model.Explain] divides a score exactly among the fields.
//
// Everything is judged on the latest fifth of the rows, which takes part in no choice. Random splits flatter: on data
// with any drift they let the model see the future of the leads it is tested on.
//
// Two evaluators serve a model: this package's, in Go, and any ONNX runtime reading the file of [Model.ONNX]. They agree
// to 1e-5, which is checked when a file is loaded.
//
// Training runs on the calling goroutine, stops with its context and gives the same model for the same table, options and
// seed. The package has no database, no tenant and no clock; it never stores a training row in a model.
package learn
