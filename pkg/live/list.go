package live

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"strconv"
)

const (
	// pageSize is how many objects are asked for at once: kubectl's own.
	pageSize = 500
	// maxPages bounds a list: a server that always says that there is more is not followed for ever.
	maxPages = 1000
)

// list visits every object under path, page by page. An error may come after some were visited.
func list[T any](ctx context.Context, c *Connection, path string, query url.Values, visit func(T)) error {
	query = withLimit(query)
	for range maxPages {
		next := ""
		err := c.get(ctx, path, query, func(body *json.Decoder) (err error) {
			next, err = readPage(body, visit)
			return err
		})
		if next == "" || err != nil {
			return err
		}
		query.Set("continue", next)
	}
	return errEndless
}

func withLimit(query url.Values) url.Values {
	limited := maps.Clone(query)
	if limited == nil {
		limited = url.Values{}
	}
	limited.Set("limit", strconv.Itoa(pageSize))
	return limited
}

// readPage visits the objects of one answer to a list, each as soon as it is there: one at a time is in memory, and not the
// whole page. It returns where the next page begins, or nothing where this is the last.
func readPage[T any](body *json.Decoder, visit func(T)) (next string, err error) {
	isList := false
	err = readEach(body, '{', func() error {
		name, err := body.Token()
		if err != nil {
			return err
		}
		switch name {
		case "metadata":
			var metadata struct {
				Continue string `json:"continue"`
			}
			err = body.Decode(&metadata)
			next = metadata.Continue
		case "items":
			isList = true
			err = readEach(body, '[', func() error {
				var item T
				err := body.Decode(&item)
				if err == nil {
					visit(item)
				}
				return err
			})
		default:
			err = body.Decode(&json.RawMessage{})
		}
		return err
	})
	if err == nil && !isList {
		err = errNotList // an empty object is no empty list: everything would be said to be missing
	}
	return next, err
}

// readEach reads an object or an array, with one for each thing in it. null is empty: some servers write that for no items.
func readEach(body *json.Decoder, opens json.Delim, one func() error) error {
	token, err := body.Token()
	if err != nil {
		return err
	}
	if token == nil {
		return nil
	}
	if token != opens {
		return errNotList
	}
	for body.More() {
		if err := one(); err != nil {
			return err
		}
	}
	_, err = body.Token()
	return err
}
