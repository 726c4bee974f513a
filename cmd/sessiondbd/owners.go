package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/config"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/postgres"
)

// ours are the things in a dump whose owner the config says.
var ours = []string{
	`SCHEMA "public"`, `SCHEMA "sessiondbd"`, `TABLE "public"."session"`, `TYPE "public"."inbox_status_enum"`, `FUNCTION "public"."update_updated_at_column"()`,
}

// giveBack gives to roles what is theirs in the dump: applications of the administrator's would find their own tables closed. What has
// the rights of its owner then, and is not known, loses them. It comes after everything that executes what is in the dump.
func (r *restoring) giveBack(ctx context.Context, t postgres.Target) error {
	var all []operate.Belonging
	for _, o := range r.loaded.Owned {
		if o.Role != config.OwnerRole && !slices.Contains(ours, o.Kind+" "+o.What) && !strings.HasPrefix(o.What, `"sessiondbd".`) {
			all = append(all, operate.Belonging(o))
		}
	}
	c, err := t.ConnectSession(ctx)
	if err != nil {
		return err
	}
	defer c.CloseSoon()
	notes, err := r.GiveBack(ctx, c, config.OwnerRole, all)
	if err == nil {
		var disarmed []string
		disarmed, err = r.Disarm(ctx, c, r.live.target, config.OwnerRole)
		notes = append(notes, disarmed...)
	}
	for _, note := range notes {
		fmt.Fprintln(r.stderr, "sessiondbd: note: "+note)
	}
	return err
}
