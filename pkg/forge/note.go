package forge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// MaxNote is how many bytes a note may have: GitLab takes a million characters, the marker included.
const MaxNote = 990_000

// Posted says what became of a note.
type Posted struct {
	URL string
	// Created and Updated are how many notes are new and how many have a new text. Both are 0 where all was there already.
	Created, Updated int
}

// Post makes a text the one note of a kind on a merge request: it is posted once, and updated from then on. Further parts are
// notes of their own. A note is known by a marker that is not shown, and by its author: one that somebody else wrote with
// the same marker is left alone. Notes of ours that are too many go away.
func (c *Client) Post(ctx context.Context, iid int64, kind string, parts ...string) (Posted, error) {
	ours, err := c.ownNotes(ctx, iid)
	if err != nil {
		return Posted{}, err
	}
	posted := Posted{}
	for i, part := range parts {
		marker := markerOf(kind, i+1)
		there := having(ours, marker)
		note, err := c.postPart(ctx, iid, marker, part, there, &posted)
		if err != nil {
			return posted, err
		}
		if i == 0 {
			posted.URL = fmt.Sprintf("%s#note_%d", c.pageOf(iid), note)
		}
		if len(there) > 1 {
			if err := c.remove(ctx, iid, there[1:]); err != nil {
				return posted, err
			}
		}
	}
	return posted, c.removeFrom(ctx, iid, ours, kind, len(parts)+1)
}

// markerOf is a line that GitLab does not show.
func markerOf(kind string, part int) string {
	return fmt.Sprintf("<!-- tfgitops: %s, part %d -->", strings.NewReplacer("<", "", ">", "", "\n", " ").Replace(kind), part)
}

// having returns the notes that begin with a marker, the oldest first.
func having(notes []*gitlab.Note, marker string) []*gitlab.Note {
	found := slices.DeleteFunc(slices.Clone(notes), func(note *gitlab.Note) bool { return !strings.HasPrefix(note.Body, marker) })
	slices.SortFunc(found, func(a, b *gitlab.Note) int { return int(a.ID - b.ID) })
	return found
}

// postPart returns the number of the note that has the text.
func (c *Client) postPart(ctx context.Context, iid int64, marker, text string, there []*gitlab.Note, posted *Posted) (int64, error) {
	body := marker + "\n" + text
	if len(body) > MaxNote {
		return 0, fmt.Errorf("a note on merge request !%d would have %d bytes: GitLab takes a million", iid, len(body))
	}
	if len(there) == 0 {
		note, err := c.createNote(ctx, iid, marker, body, posted)
		if err != nil {
			return 0, err
		}
		return c.oldestOf(ctx, iid, marker, body, note)
	}
	if strings.TrimSpace(there[0].Body) == strings.TrimSpace(body) {
		return there[0].ID, nil
	}
	posted.Updated++
	return there[0].ID, c.updateNote(ctx, iid, there[0].ID, body)
}

// oldestOf leaves one note of those that several of us created at the same time, the oldest: all of us agree on that, and
// another may have removed ours by now. It has the text of whoever looks last.
func (c *Client) oldestOf(ctx context.Context, iid int64, marker, body string, created int64) (int64, error) {
	ours, err := c.ownNotes(ctx, iid)
	if err != nil {
		return 0, err
	}
	there := having(ours, marker)
	if len(there) == 0 { // somebody deleted it
		return created, nil
	}
	if err := c.remove(ctx, iid, there[1:]); err != nil {
		return 0, err
	}
	if strings.TrimSpace(there[0].Body) != strings.TrimSpace(body) {
		return there[0].ID, c.updateNote(ctx, iid, there[0].ID, body)
	}
	return there[0].ID, nil
}

func (c *Client) updateNote(ctx context.Context, iid, id int64, body string) error {
	_, _, err := c.api.Notes.UpdateMergeRequestNote(c.project.Path, iid, id, &gitlab.UpdateMergeRequestNoteOptions{Body: &body}, with(ctx))
	return c.failed(fmt.Sprintf("updating a note on merge request !%d", iid), err)
}

// createNote posts a note. Where the answer gets lost, it looks whether the note is there before it posts again.
func (c *Client) createNote(ctx context.Context, iid int64, marker, body string, posted *Posted) (int64, error) {
	for attempt := 0; ; attempt++ {
		made, _, err := c.api.Notes.CreateMergeRequestNote(c.project.Path, iid, &gitlab.CreateMergeRequestNoteOptions{Body: &body}, with(ctx))
		if err == nil {
			posted.Created++
			return made.ID, nil
		}
		if !isBroken(ctx, err) || attempt == attempts-1 {
			return 0, c.failed(fmt.Sprintf("posting a note on merge request !%d", iid), err)
		}
		if err := c.wait(ctx, attempt); err != nil {
			return 0, err
		}
		ours, err := c.ownNotes(ctx, iid)
		if err != nil {
			return 0, err
		}
		if there := having(ours, marker); len(there) > 0 {
			posted.Created++
			return there[0].ID, nil
		}
	}
}

// removeFrom removes the parts of a kind from a number on.
func (c *Client) removeFrom(ctx context.Context, iid int64, ours []*gitlab.Note, kind string, part int) error {
	for ; ; part++ {
		left := having(ours, markerOf(kind, part))
		if len(left) == 0 {
			return nil
		}
		if err := c.remove(ctx, iid, left); err != nil {
			return err
		}
	}
}

func (c *Client) remove(ctx context.Context, iid int64, notes []*gitlab.Note) error {
	for _, note := range notes {
		if _, err := c.api.Notes.DeleteMergeRequestNote(c.project.Path, iid, note.ID, with(ctx)); err != nil && !gitlab.HasStatusCode(err, 404) {
			return c.failed(fmt.Sprintf("removing a note on merge request !%d", iid), err)
		}
	}
	return nil
}

// Note returns the text of our note of a kind, without its marker; empty where there is none.
func (c *Client) Note(ctx context.Context, iid int64, kind string) (string, error) {
	ours, err := c.ownNotes(ctx, iid)
	if err != nil {
		return "", err
	}
	marker := markerOf(kind, 1)
	if found := having(ours, marker); len(found) > 0 {
		return strings.TrimLeft(strings.TrimPrefix(found[0].Body, marker), "\n"), nil
	}
	return "", nil
}

// ownNotes returns the notes on a merge request that the token's user wrote.
func (c *Client) ownNotes(ctx context.Context, iid int64) ([]*gitlab.Note, error) {
	me, _, err := c.api.Users.CurrentUser(with(ctx))
	if err != nil {
		return nil, c.failed("asking who the token is of", err)
	}
	notes, err := all(func(page gitlab.PaginationOptionFunc) ([]*gitlab.Note, *gitlab.Response, error) {
		options := &gitlab.ListMergeRequestNotesOptions{ListOptions: gitlab.ListOptions{PerPage: 100}}
		return c.api.Notes.ListMergeRequestNotes(c.project.Path, iid, options, page, with(ctx))
	})
	if err != nil {
		return nil, c.failed(fmt.Sprintf("reading the notes on merge request !%d", iid), err)
	}
	return slices.DeleteFunc(notes, func(note *gitlab.Note) bool { return note.System || note.Author.ID != me.ID }), nil
}
