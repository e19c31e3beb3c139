package forge

import (
	"context"
	"fmt"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// Superseded is the label of a merge request that a newer one takes the place of.
const Superseded = "superseded"

// Supersede marks an open merge request superseded by another, with a note and a label, and closes it where that is asked for.
// Its commits, title and description stay as they were reviewed. Doing it again changes nothing; changed says whether it did.
func (c *Client) Supersede(ctx context.Context, old, by MergeRequest, closes bool) (changed bool, err error) {
	options, needed := &gitlab.UpdateMergeRequestOptions{}, false
	if !old.Has(Superseded) {
		options.AddLabels, needed = &gitlab.LabelOptions{Superseded}, true
	}
	if closes && old.State == Opened {
		event := "close"
		options.StateEvent, needed = &event, true
	}
	if !needed {
		return false, nil
	}
	text := fmt.Sprintf("Superseded by %s, which brings a newer version. This one stays as it was reviewed.\n", by.Ref())
	if _, err := c.Post(ctx, old.IID, "superseded", text); err != nil {
		return false, err
	}
	_, err = c.update(ctx, old, "marking as superseded", options)
	return err == nil, err
}
