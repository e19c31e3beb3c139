package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/forge"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// postFlags say on which merge request to post what a command finds.
type postFlags struct {
	to     string
	remote string
}

// postOnOwn posts on the merge request of the pipeline, or of the checked out commit.
const postOnOwn = "own"

func (f *postFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.to, "post", "", "keep it as a note on merge request `NUMBER`, or without one on that of the pipeline or of the checked out commit; the token is taken from "+forge.TokenVariable)
	cmd.Flags().Lookup("post").NoOptDefVal = postOnOwn
	cmd.Flags().StringVar(&f.remote, "remote", "origin", "with --post: the Git `REMOTE` that is the GitLab project")
}

// poster posts notes on one merge request.
type poster struct {
	client *forge.Client
	iid    int64
}

// poster finds the merge request before the work is done that is to be posted; nil where nothing is.
func (f *postFlags) poster(ctx context.Context, o *options) (*poster, error) {
	if f.to == "" {
		return nil, nil
	}
	root, err := o.openRoot()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	git, err := gitrepo.Open(ctx, root.Name())
	if err != nil {
		return nil, err
	}
	defer git.Close()
	client, err := o.openForge(ctx, git, f.remote)
	if err != nil {
		return nil, err
	}
	iid, err := f.mergeRequest(ctx, o, git, client)
	return &poster{client, iid}, err
}

// mergeRequest returns the number that was given, that of the pipeline, or that of the checked out commit.
func (f *postFlags) mergeRequest(ctx context.Context, o *options, git *gitrepo.Repo, client *forge.Client) (int64, error) {
	number := f.to
	if number == postOnOwn {
		number = o.getenv("CI_MERGE_REQUEST_IID")
	}
	if number != "" {
		iid, err := strconv.ParseInt(number, 10, 64)
		if err != nil || iid < 1 {
			return 0, usageError{fmt.Errorf("--post %q: write the number of a merge request, as in --post=42", number)}
		}
		return iid, nil
	}
	head, err := git.Resolve(ctx, "HEAD")
	if err != nil {
		return 0, err
	}
	found, err := client.Of(ctx, head)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, fmt.Errorf("commit %s is of no merge request: name one, as in --post=42", short(head))
	}
	return found[0].IID, nil
}

// post keeps the parts as the notes of a kind.
func (p *poster) post(ctx context.Context, messages io.Writer, kind string, parts ...string) error {
	if p == nil {
		return nil
	}
	posted, err := p.client.Post(ctx, p.iid, kind, parts...)
	if err != nil {
		return err
	}
	what := "it is there already"
	if posted.Created+posted.Updated > 0 {
		what = "posted"
	}
	fmt.Fprintf(messages, "%s: %s\n", what, posted.URL)
	return nil
}

// posted returns what a command comes to that was to post something: its own outcome goes before a note that was not posted.
func posted(messages io.Writer, outcome, posting error) error {
	if outcome == nil || posting == nil {
		return cmp.Or(outcome, posting)
	}
	fmt.Fprintln(messages, "not posted:", posting)
	return outcome
}
