package record

// customTypes are the types a custom field may be declared with, and the field type
// that holds its values; "" stands for one the definition decides.
var customTypes = map[string]string{
	"text": "text", "long_text": "long_text", "rich_text": "rich_text", "url": "url", "email": "email", "phone": "phone",
	"integer": "integer", "decimal": "decimal", "percent": "percent", "rating": "rating", "duration": "duration", "money": "money",
	"boolean": "boolean", "date": "date", "datetime": "datetime", "select": "select", "multi_select": "list", "list": "list",
	"address": "address", "json": "json", "file": "file", "user": "user", "team": "team", "relation": "relation",
	"auto_number": "text", "formula": "", "roll_up": "",
}

// CustomTypes are the names POST /custom_fields takes, in the order a person would
// look for them.
func CustomTypes() []string {
	return []string{
		"text", "long_text", "rich_text", "integer", "decimal", "percent", "money", "boolean", "date", "datetime", "duration", "select",
		"multi_select", "list", "email", "phone", "url", "address", "rating", "json", "file", "user", "team", "relation", "auto_number", "formula", "roll_up",
	}
}

// valueType finds the type that holds the values of a declared one; result is what
// a formula or roll-up computes.
func valueType(declared, result string) (Type, bool) {
	name, ok := customTypes[declared]
	if !ok {
		return nil, false
	}
	if name == "" {
		name = result
	}
	return FieldType(name)
}
