// Package messaginghttp serves what can be done with messages beyond reading
// them: send, cancel, retry, the story of one, the providers, and the public
// unsubscribe link. It decodes, asks the messaging service and encodes; every rule
// is the service's. Templates and suppressions are plain records and have the
// kernel's own calls.
package messaginghttp

import (
	"crm/internal/messaging"
	"crm/internal/platform/auth"
	"crm/internal/platform/rest"
)

// HTTP serves the acts of messaging.
type HTTP struct {
	messaging *messaging.Service
}

// New makes the handlers of a service.
func New(s *messaging.Service) *HTTP { return &HTTP{messaging: s} }

// Routes is the context's part of the route table. messages.get takes the place
// of the kernel's own.
func (h *HTTP) Routes() []rest.Route {
	message, provider := map[string]string{"id": "message"}, map[string]string{"id": "provider"}
	return []rest.Route{
		{
			Method: "POST", Path: "/messages", Name: "messages.send", Summary: "Send a message now or later", Tag: "messages",
			Object: "message", Action: auth.Create, Status: 202, Body: draftSchema, Answer: rest.Ref("Message"), Handle: h.send,
		},
		{
			Method: "POST", Path: "/messages/preview", Name: "messages.preview", Summary: "Fill in a message without sending it", Tag: "messages",
			Object: "message", Action: auth.Create, Body: draftSchema, Answer: previewSchema, Handle: h.preview,
		},
		{
			Method: "GET", Path: "/messages/{id}", Name: "messages.get", Summary: "Read one of the messages with its attempts and events", Tag: "messages",
			Object: "message", Action: auth.Read, IDs: message, Answer: messageSchema, Handle: h.get,
		},
		{
			Method: "GET", Path: "/messages/{id}/events", Name: "messages.events", Summary: "What was tried and what happened to a message", Tag: "messages",
			Object: "message", Action: auth.Read, IDs: message, Answer: storySchema, Handle: h.events,
		},
		{
			Method: "POST", Path: "/messages/{id}/cancel", Name: "messages.cancel", Summary: "Stop a message that has not been sent", Tag: "messages",
			Object: "message", Action: auth.Update, IDs: message, Answer: rest.Ref("Message"), Handle: h.cancel,
		},
		{
			Method: "POST", Path: "/messages/{id}/retry", Name: "messages.retry", Summary: "Send a message again that failed or is in doubt", Tag: "messages",
			Object: "message", Action: auth.Update, IDs: message, Answer: rest.Ref("Message"), Handle: h.retry,
		},

		{
			Method: "GET", Path: "/providers", Name: "providers.list", Summary: "List the providers in the order they are tried", Tag: "providers",
			Object: "provider", Action: auth.Read, Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(providerSchema), "next_cursor": rest.Nullable(rest.Str)}, "data", "next_cursor"), Handle: h.providers,
		},
		{
			Method: "POST", Path: "/providers", Name: "providers.create", Summary: "Add a provider; secrets are never given back", Tag: "providers",
			Object: "provider", Action: auth.Create, Status: 201, Body: providerInputSchema, Answer: providerSchema, Handle: h.createProvider,
		},
		{
			Method: "GET", Path: "/providers/{id}", Name: "providers.get", Summary: "Read a provider without its secrets", Tag: "providers",
			Object: "provider", Action: auth.Read, IDs: provider, Answer: providerSchema, Handle: h.provider,
		},
		{
			Method: "PATCH", Path: "/providers/{id}", Name: "providers.update", Summary: "Change a provider; settings are merged key by key", Tag: "providers",
			Object: "provider", Action: auth.Update, IDs: provider, Body: providerInputSchema, Answer: providerSchema, Handle: h.updateProvider,
		},
		{
			Method: "DELETE", Path: "/providers/{id}", Name: "providers.delete", Summary: "Remove a provider and forget its secrets", Tag: "providers",
			Object: "provider", Action: auth.Delete, IDs: provider, Status: 204, Handle: h.deleteProvider,
		},
		{
			Method: "POST", Path: "/providers/{id}/test", Name: "providers.test", Summary: "Connect and sign in without sending a message; names the step that fails", Tag: "providers",
			Object: "provider", Action: auth.Update, IDs: provider, Answer: checkSchema, Handle: h.testProvider,
		},
	}
}

var (
	channelSchema = rest.Schema{"type": "string", "enum": []any{"email", "sms", "chat"}}
	classSchema   = rest.Schema{"type": "string", "enum": []any{"transactional", "marketing"}}
	draftSchema   = rest.Obj(map[string]rest.Schema{
		"channel": channelSchema, "class": classSchema, "to": rest.Str, "contact_id": rest.Nullable(rest.UUID), "lead_id": rest.Nullable(rest.UUID),
		"template_id": rest.Nullable(rest.UUID), "subject": rest.Str, "body": rest.Str, "body_text": rest.Str,
		"variables": {"type": "object", "additionalProperties": true}, "send_at": rest.Nullable(rest.Time),
	})
	previewSchema = rest.Obj(map[string]rest.Schema{"to_address": rest.Str, "subject": rest.Str, "body_html": rest.Str, "body_text": rest.Str}, "to_address", "subject", "body_html", "body_text")
	attemptSchema = rest.Obj(map[string]rest.Schema{
		"number": rest.Int, "at": rest.Time, "finished_at": rest.Nullable(rest.Time), "provider_id": rest.UUID, "provider": rest.Str,
		"result": {"type": "string", "enum": []any{"sending", "sent", "temporary", "route_busy", "permanent", "block", "config", "in_doubt", "interrupted"}},
		"step":   rest.Str, "code": rest.Int, "detail": rest.Str,
	}, "number", "at", "provider_id", "provider", "result")
	eventSchema = rest.Obj(map[string]rest.Schema{
		"seq": rest.Int, "at": rest.Time, "type": rest.Str, "actor": rest.Str, "data": {"type": "object"},
	}, "seq", "at", "type")
	storySchema   = rest.Obj(map[string]rest.Schema{"attempt_log": rest.Array(attemptSchema), "events": rest.Array(eventSchema)}, "attempt_log", "events")
	messageSchema = rest.Schema{"allOf": []rest.Schema{rest.Ref("Message"), storySchema}}

	settingsSchema = rest.Schema{
		"type": "object", "additionalProperties": true,
		"description": "smtp: host, port, tls (none, starttls, tls), username, password, from. http: url, header, secret, from, idempotent. password and secret are write-only.",
	}
	providerInputSchema = rest.Obj(map[string]rest.Schema{
		"name": rest.Str, "channel": channelSchema, "type": {"type": "string", "enum": []any{"smtp", "http"}}, "priority": rest.Int, "settings": settingsSchema,
		"state": {"type": "string", "enum": []any{"active", "disabled"}},
	})
	providerSchema = rest.Obj(map[string]rest.Schema{
		"id": rest.UUID, "name": rest.Str, "channel": channelSchema, "type": {"type": "string", "enum": []any{"smtp", "http"}}, "priority": rest.Int, "settings": settingsSchema,
		"secrets_set": rest.Array(rest.Str), "state": {"type": "string", "enum": []any{"active", "unhealthy", "disabled"}}, "last_error": rest.Nullable(rest.Str),
		"checked_at": rest.Nullable(rest.Time), "created_at": rest.Time, "updated_at": rest.Time, "version": rest.Int,
	}, "id", "name", "channel", "type", "priority", "settings", "secrets_set", "state", "version")
	checkSchema = rest.Obj(map[string]rest.Schema{"ok": rest.Bool, "step": rest.Nullable(rest.Str), "message": rest.Nullable(rest.Str)}, "ok", "step", "message")
)
