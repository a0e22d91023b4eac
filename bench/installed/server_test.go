package installed

import (
	"slices"
	"testing"
)

// What a developer has set for their own server must not change what is measured.
func TestNeutralDropsTheCallersSettings(t *testing.T) {
	t.Parallel()
	got := neutral([]string{"PATH=/bin", "CRM_ADDR=:1", "CRM_ONNXRUNTIME_LIB=/x", "CRM_REDIS_URL=redis://y", "CRM_POSTGRES_BIN=/z", "XCRM_=1"})
	want := []string{"PATH=/bin", "CRM_ONNXRUNTIME_LIB=/x", "CRM_POSTGRES_BIN=/z", "XCRM_=1"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
