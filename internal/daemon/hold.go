package daemon

import (
	"context"
	"fmt"
	"time"

	"sessiondbd/internal/systemd"
)

// hold waits while the part is paused, and returns the reason for the pass after it. What happens meanwhile is left alone; a
// config that is reloaded is in force from the pass after the pause.
func (l *loop) hold(ctx context.Context, left time.Duration) string {
	l.part.Release()
	l.log.Info("paused", systemd.Paused.Attr(), "for", left.Round(time.Second))
	for {
		l.held(left)
		timer := time.NewTimer(left)
		l.nextHeld(ctx, timer.C)
		timer.Stop()
		if ctx.Err() != nil {
			return ""
		}
		now, paused := l.part.Paused()
		if !paused {
			l.log.Info("the pause is over", systemd.Resumed.Attr())
			return l.takeReasons("resume")
		}
		left = now
	}
}

// held says so to everybody.
func (l *loop) held(left time.Duration) {
	l.state.State = Paused
	l.state.Status = fmt.Sprintf("paused until %s: sudo sessiondbd resume ends it", time.Now().Add(left).Format("15:04:05 on Jan 2"))
	if !l.state.Ready {
		l.state.Ready = true
		l.file.write(l.state)
		l.notify.ready(l.state.Status)
	}
	l.notify.status(l.state.Status)
	l.endReload(nil)
	l.file.write(l.state)
}

// nextHeld returns when there is a reason to look whether the pause is still on.
func (l *loop) nextHeld(ctx context.Context, over <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-over:
			return
		case <-l.opts.Reload:
			l.beginReload(ctx)
			return
		case <-l.opts.Prompt:
			return
		case _, ok := <-l.part.Wake:
			if !ok {
				l.part.Wake = nil
			}
		case <-l.dog:
			l.notify.watchdog()
		}
	}
}
