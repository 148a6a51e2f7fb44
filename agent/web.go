package agent

import (
	"tirewatch/agent/config"
	"tirewatch/agent/web"
)

// openPage opens the page for browsers. A station inspects with or without it.
func openPage(d *daemon) {
	if d.cfg.Page.Listen == "" {
		return
	}
	page, err := web.New(web.Options{
		Page: d.cfg.Page, Station: d.cfg.Station.ID(), Version: d.Version,
		Journal: d.journal, Models: d.store, Locate: d.locator, Margin: d.cfg.Locate.Margin, Review: newReviewQueue(d.journal, d.cfg),
		PassUnsure: d.cfg.Reject.OnUnsure == config.OnPass,
		Health:     d.counts.Now, Problems: d.problems.all,
		Broker:    func() (named, connected bool) { return d.link != nil, d.link != nil && d.link.uplink.Connected() },
		StateFile: d.journal.Path() + "-shifts", Log: d.log,
	})
	var s *web.Server
	if err == nil {
		s, err = page.Listen()
	}
	if err != nil {
		d.log.Error("page: listen failed", "error", err)
		return
	}
	d.log.Info("page: listening", "url", s.URL())
	d.page = page
	d.servers = append(d.servers, server{"page", s.Run})
}
