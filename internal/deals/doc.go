// Package deals is about sales on their way: pipelines with their stages,
// products, and the deals that move through them until they are won or lost.
//
// # Nouns
//
// A pipeline is a way a deal goes from the first talk to an end. Its stages are
// the steps, each of a kind: open, won or lost. A deal is always in exactly one
// stage of exactly one pipeline. A product is what is sold. The board shows a
// pipeline with one column per stage; the forecast shows what a period brings.
//
// # Invariants
//
// They hold after every change from whichever surface, imports and undo included
// (see settle):
//
//   - The stage belongs to the pipeline. status is the kind of the stage.
//   - closed_at is set exactly while the deal is won or lost, lost_reason exactly
//     while it is lost.
//   - probability is a whole number of percent. A won deal has 100, a lost one 0;
//     an open one has its stage's, until somebody gives it its own, which lasts
//     until the deal changes its stage.
//   - weighted_amount is amount × probability, in the currency of amount, rounded
//     half away from zero.
//   - forecast_category of a won deal is closed, of a lost one omitted. For an
//     open deal it follows the probability, until somebody chooses one.
//   - A tenant has at most one default pipeline.
//
// A stage's own probability can change at any time; deals already in it keep
// theirs, because it was agreed on with them in view.
//
// # The board's order
//
// position is a rank inside a stage: smaller is higher. Only the order means
// anything. A deal that enters a stage without a place goes to the top, where the
// person who moved it sees it. A place between two cards is the middle of their
// positions; when no number fits between them any more, the cards around are
// spread out again (see spread), without a new version and without a journal row,
// because to people nothing has changed.
//
// # Acts and what the journal says
//
//	moved     into another stage, or to another place in the same one
//	won       the deal entered a won stage
//	lost      the deal entered a lost stage, or its reason changed
//	reopened  the deal left a won or lost stage for an open one
//
// The words depend on what happened, not on how: a PATCH of stage_id that closes
// a deal is journalled as won too. Repeating an act on a deal that is already
// where it should be changes nothing and writes nothing. Each act can be undone.
//
// # Needs
//
// Names of companies and people come through the record kernel (objects account
// and user), within what the actor may see.
//
// Not for: what was said to whom (activities), quotes, and how likely a model
// thinks a deal is to be won (scoring writes win_probability).
package deals
