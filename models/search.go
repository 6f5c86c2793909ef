package models

import (
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/words"
)

// Search works by keywords: each post and each user keeps its words in an indexed array. The rarest word of the query
// selects the candidates, which are read, compared with the whole query, and ranked in memory. The frequency of a word
// is counted in the index alone, and only up to maxCandidates, so neither a common word nor a large site makes a search
// expensive.

const (
	maxKeywords   = 300  // of a document: those of its title and tags come first
	maxCandidates = 1000 // read for a query
	maxNamesakes  = 20   // channels, per word, whose posts are candidates
	ofNamesakes   = 300  // how many of the maxCandidates may come from them
)

// keywords are the words of texts, without duplicates, and the tags.
func keywords(tags []string, texts ...string) []string {
	list := []string{}
	seen := map[string]bool{}
	add := func(some []string) {
		for _, word := range some {
			if !seen[word] && len(list) < maxKeywords {
				seen[word] = true
				list = append(list, word)
			}
		}
	}
	add(tags)
	for _, text := range texts {
		add(words.Of(text))
	}
	return list
}

// keywords of a post exist while others may see it.
func (p *Post) keywords() []string {
	if p.Visibility != Public {
		return []string{}
	}
	return keywords(p.hashtags(), p.Title, strings.Join(p.Tags, " "), p.Description)
}

// hashtags are the post's tags and those in its text.
func (p *Post) hashtags() (tags []string) {
	for _, tag := range p.Tags {
		tags = append(tags, words.Tag(tag))
	}
	return append(tags, words.Tags(p.Title+"\n"+p.Description)...)
}

// names are the texts that a channel is found by.
func (u *User) names() string { return u.FullName + " " + u.Username }

// derivedKeywords maintains the keywords of a kind.
func derivedKeywords[T any](of func(*T) []string, from ...string) store.Derived {
	return store.Derived{Field: "keywords", From: from, Of: func(raw bson.Raw) (any, error) {
		doc := new(T)
		err := bson.Unmarshal(raw, doc)
		return of(doc), err
	}}
}

// candidates reads the documents that a query may match, up to a limit, latest first.
func candidates[T any](ctx context.Context, docs *store.Documents[T], q words.Query, id func(*T) bson.ObjectID, latest store.Order, most int) ([]*T, error) {
	word, n, err := rarest(ctx, docs, q)
	if err != nil || n == 0 {
		return nil, err
	}
	if n < maxCandidates || len([]rune(q.Prefix)) < 3 && word != "" {
		return docs.List(ctx, store.Where("keywords", word), latest, most)
	}
	return unfinished(ctx, docs, q.Prefix, id, latest, most)
}

// rarest is the word of a query that the fewest documents have, and how many, counted up to maxCandidates. The
// unfinished word isn't counted: if it is alone, the result is the empty word, which every document has.
func rarest[T any](ctx context.Context, docs *store.Documents[T], q words.Query) (word string, n int, err error) {
	n = maxCandidates
	for i, w := range append(slices.Clone(q.Tags), q.Words...) {
		count, err := docs.Frequency(ctx, "keywords", w, maxCandidates)
		if err != nil {
			return "", 0, err
		}
		if i == 0 || count < n {
			word, n = w, count
		}
	}
	return word, n, nil
}

// unfinished reads the documents with a word that begins like this, each once, those with exactly this word first.
func unfinished[T any](ctx context.Context, docs *store.Documents[T], prefix string, id func(*T) bson.ObjectID, latest store.Order, most int) ([]*T, error) {
	found, err := docs.List(ctx, store.Where("keywords", prefix), latest, most)
	if err != nil || len(found) == most {
		return found, err
	}
	longer := store.Where("$elemMatch", store.Where("$gt", prefix, "$lt", prefix+"\U0010ffff"))
	more, err := docs.List(ctx, store.Where("keywords", longer), nil, most-len(found))
	return withOthers(found, more, id), err
}

// withOthers appends the documents that aren't in the list yet.
func withOthers[T any](list, more []*T, id func(*T) bson.ObjectID) []*T {
	seen := byID(list, id)
	return append(list, slices.DeleteFunc(more, func(doc *T) bool { return seen[id(doc)] != nil })...)
}

// field is a text of a document, and the weight of a word found in it.
type field struct {
	worth int
	words []string
}

// worth scores how well fields match a query: for each word, the best field that has it, with a bonus for a whole word
// over a prefix; 0 if a word is missing.
func worth(q words.Query, tags []string, fields ...field) (sum int) {
	for _, tag := range q.Tags {
		if !slices.Contains(tags, tag) {
			return 0
		}
		sum += 2
	}
	best := func(is func(string) bool) (n int) {
		for _, f := range fields {
			if f.worth > n && slices.ContainsFunc(f.words, is) {
				n = f.worth
			}
		}
		return n
	}
	for _, word := range q.Words {
		n := best(func(w string) bool { return w == word })
		if n == 0 {
			return 0
		}
		sum += 2 * n
	}
	if q.Prefix == "" {
		return sum
	}
	whole, begun := best(func(w string) bool { return w == q.Prefix }), best(func(w string) bool { return strings.HasPrefix(w, q.Prefix) })
	if begun == 0 {
		return 0
	}
	return sum + max(2*whole, 2*begun-1)
}

// Search lists posts that the viewer may see and that have all words of a text in their title, tags, text, or their
// channel's names. Without an order, the best match comes first: by where the words are, then by date.
func (m *Posts) Search(ctx context.Context, viewer bson.ObjectID, text string, q PostQuery, p store.Paging) (store.Page[*Post], error) {
	ranked, err := m.ranked(ctx, viewer, words.ParseQuery(text), q)
	if err != nil {
		return store.Page[*Post]{}, err
	}
	order, key := q.rank()
	page, err := store.Rank(ranked, order, key, p)
	out := store.Page[*Post]{Next: page.Next, Total: page.Total, Items: make([]*Post, len(page.Items))}
	for i, r := range page.Items {
		out.Items[i] = r.Post
	}
	return out, err
}

type rankedPost struct {
	*Post
	worth int
}

// rank sorts the results.
func (q PostQuery) rank() (store.Order, func(rankedPost) bson.D) {
	_, order := q.filter()
	if q.Sort == "" {
		order = append(store.Order{"-worth"}, order...)
	}
	return order, func(r rankedPost) bson.D {
		at := bson.E{Key: "publishedAt", Value: r.PublishedAt}
		switch q.Sort {
		case "":
			return bson.D{{Key: "worth", Value: r.worth}, at, {Key: "_id", Value: r.ID}}
		case ByViews:
			at = bson.E{Key: "views", Value: r.Views}
		case ByLikes:
			at = bson.E{Key: "likesCount", Value: r.LikesCount}
		case ByTrending:
			at = bson.E{Key: "trending", Value: r.Trending}
		}
		return bson.D{at, {Key: "_id", Value: r.ID}}
	}
}

func (m *Posts) ranked(ctx context.Context, viewer bson.ObjectID, query words.Query, q PostQuery) ([]rankedPost, error) {
	if query.Empty() {
		return nil, nil
	}
	found, err := m.found(ctx, query)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(p *Post) bool {
		return p.Visibility != Public || q.Kind != "" && p.Kind != q.Kind || !q.Owner.IsZero() && p.Owner != q.Owner
	})
	if found, err = m.visible(ctx, viewer, found); err != nil {
		return nil, err
	}
	owners := make([]bson.ObjectID, len(found))
	for i, p := range found {
		owners[i] = p.Owner
	}
	users, err := m.users.CachedByIDs(ctx, owners)
	if err != nil {
		return nil, err
	}
	var ranked []rankedPost
	for _, p := range found {
		owner := users[p.Owner]
		if owner == nil { // deleted a moment ago
			continue
		}
		n := worth(query, p.hashtags(), field{8, words.Of(p.Title)}, field{6, words.Of(strings.Join(p.Tags, " "))},
			field{4, words.Of(owner.names())}, field{2, words.Of(p.Description)})
		if n > 0 {
			ranked = append(ranked, rankedPost{p, n})
		}
	}
	return ranked, nil
}

var latestPosts = store.Order{"-publishedAt", "-_id"}

// found are the candidates, without duplicates: posts with the words, and the latest posts of channels whose name has
// one of them.
func (m *Posts) found(ctx context.Context, query words.Query) ([]*Post, error) {
	namesakes, err := m.users.namesakes(ctx, query)
	if err != nil {
		return nil, err
	}
	var theirs []*Post
	if len(namesakes) > 0 {
		page, err := m.posts.PageIn(ctx, "owner", namesakes, store.Where("visibility", Public), latestPosts, store.Paging{Limit: ofNamesakes})
		if err != nil {
			return nil, err
		}
		theirs = page.Items
	}
	found, err := candidates(ctx, m.posts, query, idOfPost, latestPosts, maxCandidates-len(theirs))
	return withOthers(found, theirs, idOfPost), err
}

func idOfPost(p *Post) bson.ObjectID { return p.ID }

var latestUsers = store.Order{"-_id"}

func idOfUser(u *User) bson.ObjectID { return u.ID }

// namesakes are channels that have a word of the query in their names.
func (m *Users) namesakes(ctx context.Context, query words.Query) ([]bson.ObjectID, error) {
	ids := []bson.ObjectID{}
	add := func(users []*User) {
		for _, u := range users {
			if !slices.Contains(ids, u.ID) {
				ids = append(ids, u.ID)
			}
		}
	}
	for _, word := range query.Words {
		users, err := m.users.List(ctx, store.Where("keywords", word), latestUsers, maxNamesakes)
		if err != nil {
			return nil, err
		}
		add(users)
	}
	if query.Prefix == "" {
		return ids, nil
	}
	users, err := unfinished(ctx, m.users, query.Prefix, idOfUser, latestUsers, maxNamesakes)
	add(users)
	return ids, err
}

// Search lists channels that have all words of a text in their names: best match first, then by subscribers.
func (m *Users) Search(ctx context.Context, text string, p store.Paging) (store.Page[*User], error) {
	type ranked struct {
		*User
		worth int
	}
	query := words.ParseQuery(text)
	var found []*User
	var err error
	if len(query.Tags) == 0 && !query.Empty() {
		if found, err = candidates(ctx, m.users, query, idOfUser, latestUsers, maxCandidates); err != nil {
			return store.Page[*User]{}, err
		}
	}
	var all []ranked
	for _, u := range found {
		if n := worth(query, nil, field{1, words.Of(u.names())}); n > 0 && u.DisabledAt == nil {
			all = append(all, ranked{u, n})
		}
	}
	page, err := store.Rank(all, store.Order{"-worth", "-subscribersCount", "-_id"}, func(r ranked) bson.D {
		return bson.D{{Key: "worth", Value: r.worth}, {Key: "subscribersCount", Value: r.SubscribersCount}, {Key: "_id", Value: r.ID}}
	}, p)
	out := store.Page[*User]{Next: page.Next, Total: page.Total, Items: make([]*User, len(page.Items))}
	for i, r := range page.Items {
		out.Items[i] = r.User
	}
	return out, err
}
