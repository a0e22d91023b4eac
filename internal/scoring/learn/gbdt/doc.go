// Package gbdt grows small boosted trees for a yes-or-no outcome and tells, exactly, how much each field moved a score.
//
// It is the histogram method: every numeric field is cut into at most 255 ranges once, every categorical field has one
// range per level, and growing a node means adding up gradients per range instead of sorting rows. The larger child's
// histogram is its parent's minus its sibling's, so every level of a tree costs about half a pass over the rows.
//
// Three choices follow from what sales data looks like. A categorical field is split as one level against all others,
// because that is a sentence people can read ("source is referral") and because it needs no order of levels. A missing
// number has its own range and each split learns which side it belongs to, since "nobody asked" often means something.
// Trees are shallow (depth 4 by default): as good as deep ones on the sets measured, and cheap to explain.
//
// Units: a tree's leaf is a step of log-odds, already multiplied by the learning rate; [Forest.Logit] is their sum.
// Inputs are the encoded vectors of package learn: one float32 per number (NaN is missing), one 0/1 slot per level.
//
// Training is single-threaded and, for one seed and one row order, gives the same trees on every run. It is not a
// general booster: no regression, no ranking, no weights.
package gbdt
