package record

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// MatchKey is something a record has in common with its probable duplicates: On
// says what ("email"), Value is its one comparable form, Score how likely two
// records that share it are the same, in percent.
type MatchKey struct {
	On    string
	Value string
	Score int
}

// hash is the key as the table holds it. Two keys may share a hash; whoever finds
// records by it compares the keys themselves.
func (m MatchKey) hash() int64 {
	sum := sha256.Sum256([]byte(m.On + ":" + m.Value))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // the bits, not the number
}

// matchKeys are the keys of a record, each once; none for objects without rules
// and for records in the bin.
func (r *Record) matchKeys() []MatchKey {
	if r == nil || r.Def.Match == nil || r.Deleted() {
		return nil
	}
	var out []MatchKey
	for _, k := range r.Def.Match(r) {
		if k.Value != "" && !hasKey(out, k) {
			out = append(out, k)
		}
	}
	return out
}

func hasKey(keys []MatchKey, k MatchKey) bool {
	for _, o := range keys {
		if o.On == k.On && o.Value == k.Value {
			return true
		}
	}
	return false
}

// FoldWords makes names comparable: lower case, without accents and signs.
func FoldWords(s string) string {
	words := strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(words, " ")
}

// queueMatchKeys keeps the keys in step: one statement for all new keys of a save
// and one for all that are gone, none when nothing changed.
func (o *Object) queueMatchKeys(b *pgx.Batch, tenant uuid.UUID, changes []*Change) {
	if o.Def.Match == nil {
		return
	}
	var add, drop keyRows
	for _, c := range changes {
		before, after := c.Old.matchKeys(), c.New.matchKeys()
		add.less(after, before, c.New.ID())
		drop.less(before, after, c.New.ID())
	}
	if len(drop.keys) > 0 {
		b.Queue(`delete from record_match_keys m using unnest($3::bigint[], $4::uuid[]) as u(key, id)
		  where m.tenant_id = $1 and m.object = $2 and m.key = u.key and m.record_id = u.id`, tenant, o.Def.Name, drop.keys, drop.ids)
	}
	if len(add.keys) > 0 {
		b.Queue(`insert into record_match_keys (tenant_id, object, key, record_id)
		  select $1, $2, u.key, u.id from unnest($3::bigint[], $4::uuid[]) as u(key, id)
		  on conflict on constraint record_match_keys_pkey do nothing`, tenant, o.Def.Name, add.keys, add.ids)
	}
}

type keyRows struct {
	keys []int64
	ids  []uuid.UUID
}

// less adds the keys of a that b has not.
func (k *keyRows) less(a, b []MatchKey, id uuid.UUID) {
	for _, key := range a {
		if !hasKey(b, key) {
			k.keys, k.ids = append(k.keys, key.hash()), append(k.ids, id)
		}
	}
}
