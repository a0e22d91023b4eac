// Package liquid renders the templates that tenants write: mail and message bodies, subjects, SMS texts.
//
//	Hello {{ contact.first_name | default: "there" }},
//	{% if deal.amount > 1000 %}your offer is valid until {{ deal.expires_at | date: "%d.%m.%Y" }}.{% endif %}
//
// It is a small language of its own in the clothes of Liquid, not a wrapper around a Liquid library. The engine at hand
// (osteele/liquid) loops without limit, has no budget for work or output, registers all filters and tags at once and
// does not escape HTML; making it safe would mean patching each of these and trusting the rest. What is left of the
// language once loops and assignments are gone is small enough to own, and being without loops is the proof that a
// template ends: the work is bounded by the length of its source and of its values.
//
// What a template may do: print a value through filters, and choose with if/elsif/else, unless and case/when, with
// comments in between. It cannot loop, assign, include, call methods, or reach anything but the variables passed to
// [Template.Render], of which only plain data is visible: nil, bool, numbers, strings, time.Time, maps with string keys
// and slices of these. Anything else (structs, functions) prints as nothing.
//
// Limits: source [MaxSource], nesting [MaxDepth], output [MaxOutput], bytes handled by filters and comparisons
// [MaxWork], and [Deadline] as a last resort for a stalled machine. All are errors, never a cut-off message.
//
// Escaping depends on the kind. In [HTML] every value is escaped for the place it stands in, found by following the
// markup: in text and quoted attributes as HTML, at the start of a link also against javascript: and the like, in style
// by an allow-list of characters. Places where no escaping can be right (script, on… attributes, attributes without
// quotes, tag names) are refused when the template is saved. There is no way to switch this off. The markup written by the
// author is trusted here; sanitise it when it is saved if the author is not. In [Subject] line breaks and control
// characters become spaces. In [Text] values stand as they are.
//
// Missing variables are nothing, so that default works; [Template.Variables] lists what a template uses, for checking
// names when it is saved.
//
// Differences from Liquid that authors may meet: only listed filters, strings cannot contain "}}" or "%}", escape is a
// no-op in HTML because values are escaped anyway, unknown names of tags and filters are errors, dividing by zero is an
// error instead of text in the mail, and a list prints with ", " between its elements.
//
// A Template is immutable after [Compile] and safe for concurrent use: compile once per campaign, render per recipient.
package liquid
