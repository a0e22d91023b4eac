package embedpg

import (
	"context"
	_ "embed" // the two scripts below
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Database is the name of the program's database in the embedded cluster.
const Database = "crm"

//go:embed sql/roles.sql
var rolesSQL string

//go:embed sql/database.sql
var databaseSQL string

// RolesSQL and DatabaseSQL are what an administrator runs once, as superuser, on a server of their own: the first on
// any database of it, the second in the program's database, which crm_owner must own.
func RolesSQL() string    { return rolesSQL }
func DatabaseSQL() string { return databaseSQL }

// bootstrap brings roles and database into the state the program expects, whatever it was.
func (c *Cluster) bootstrap(ctx context.Context) error {
	if err := c.asSuperuser(ctx, superuser, rolesSQL); err != nil {
		return err
	}
	if err := c.EnsureDatabase(ctx, Database); err != nil {
		return err
	}
	return c.asSuperuser(ctx, superuser, "alter role crm_app login")
}

// EnsureDatabase creates a database of the given name unless it exists, owned by crm_owner and closed to everyone but
// crm_app, and makes sure of its extensions and schema rights. It may be repeated.
func (c *Cluster) EnsureDatabase(ctx context.Context, name string) error {
	if err := c.createDatabase(ctx, name); err != nil {
		return err
	}
	quoted := pgx.Identifier{name}.Sanitize()
	grants := "alter database " + quoted + " owner to crm_owner;" +
		"revoke all on database " + quoted + " from public;" +
		"grant connect, temporary on database " + quoted + " to crm_app;"
	return c.asSuperuser(ctx, name, grants+databaseSQL)
}

func (c *Cluster) createDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, c.URL(superuser, superuser))
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	err = conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&exists)
	if err != nil || exists {
		return wrapSQL("look for database "+name, err)
	}
	_, err = conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize()+
		" owner crm_owner template template0 encoding 'UTF8' locale 'C.UTF-8'")
	return wrapSQL("create database "+name, err)
}

// asSuperuser runs a script of several statements in one implicit transaction.
func (c *Cluster) asSuperuser(ctx context.Context, database, script string) error {
	conn, err := pgx.Connect(ctx, c.URL(superuser, database))
	if err != nil {
		return fmt.Errorf("connect to database %s: %w", database, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.PgConn().Exec(ctx, script).ReadAll()
	return wrapSQL("prepare database "+database, err)
}

// wrapSQL words the two failures an operator can mend, and wraps the rest.
func wrapSQL(doing string, err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s: %w", doing, err)
	}
	switch pg.Code {
	case "53100": // disk_full
		return &Problem{Kind: ErrDiskFull, Cause: err, What: "the database's disk is full", Next: "free some space and start again"}
	case "58P01", "0A000": // undefined_file, feature_not_supported: the control file of an extension is missing
		return &Problem{
			Kind: ErrNoBinaries, Cause: err,
			What: "this PostgreSQL lacks an extension the program needs",
			Next: "install the package postgresql-contrib of the same version",
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
