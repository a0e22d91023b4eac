// Package scoring tells sellers which leads are worth calling first, and why.
//
// The nouns: a target is an object that can be scored (lead) with the outcomes to learn from; a feature is one thing
// known about a record when it came in; a model is one training's result, with a card that says honestly how good it
// is; a score is a model's answer for one record, 0 to 100, with reasons in words.
//
// The life of a model:
//
//	training ──► candidate ──► active ──► retired
//	    └─► failed    ▲           │          │
//	                  └── kept back          └── activate or rollback brings it back
//
// Invariants:
//   - At most one model of an object is active, at most one in training, per tenant. The database holds both.
//   - A model goes live only if ONNX Runtime and the Go evaluator agree on it to 1e-5 and its files match their
//     checksums. The first one also needs a ranking better than chance, a later one must predict the same held-out
//     leads better than the running one. Otherwise it stays a candidate and says why; a person may activate it.
//   - A field that by itself gives the outcome away is left out without being asked, since most such fields are filled
//     in after the outcome. People can vouch for one (keep).
//   - Swapping models never fails a request: scores in flight end on the model they began with.
//
// The models live in the database, not on disks, so that every replica serves the same one within seconds. Scores are
// computed by ONNX Runtime when its library is there and by the Go evaluator of the same model when not.
//
// What it tells the journal: scoring_model trained, failed, activated; lead scored (one lead) and rescored (a batch;
// the record named is then the model). Score writes change neither version nor history of a lead: forty thousand
// journal rows per retraining would drown what people did.
//
// Not for: the mathematics (package learn), loading libraries (platform/onnx), deciding what is done with a score.
package scoring
