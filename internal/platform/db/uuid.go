package db

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// useUUIDs teaches a connection uuid.UUID as the sixteen bytes it is. Without, the driver
// takes the detour over database/sql: a text, parsed again, with an error made and thrown
// away for each value, a seventh of what a create cost.
func useUUIDs(_ context.Context, conn *pgx.Conn) error {
	types := conn.TypeMap()
	one := &pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}}
	types.RegisterType(one)
	types.RegisterType(&pgtype.Type{Name: "_uuid", OID: pgtype.UUIDArrayOID, Codec: &pgtype.ArrayCodec{ElementType: one}})
	return nil
}

// uuidCodec is pgx's codec with a short way for uuid.UUID in binary, the only format in
// which pgx sends and asks for it.
type uuidCodec struct{ pgtype.UUIDCodec }

func (c uuidCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgtype.BinaryFormatCode {
		switch value.(type) {
		case uuid.UUID:
			return encodeUUID{}
		case *uuid.UUID:
			return encodeUUIDPointer{}
		}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

func (c uuidCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return scanUUID{}
	}
	return c.UUIDCodec.PlanScan(m, oid, format, target)
}

type encodeUUID struct{}

func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	u := value.(uuid.UUID)
	return append(buf, u[:]...), nil
}

type encodeUUIDPointer struct{}

func (encodeUUIDPointer) Encode(value any, buf []byte) ([]byte, error) {
	if u := value.(*uuid.UUID); u != nil {
		return append(buf, u[:]...), nil
	}
	return nil, nil // null
}

type scanUUID struct{}

func (scanUUID) Scan(src []byte, target any) error {
	u := target.(*uuid.UUID)
	if src == nil { // null into a value; a pointer to one is set by pgx
		*u = uuid.Nil
		return nil
	}
	if len(src) != len(u) {
		return fmt.Errorf("read a uuid of %d bytes", len(src))
	}
	copy(u[:], src)
	return nil
}
