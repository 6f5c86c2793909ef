package middlewares

import (
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/utils/budget"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

const (
	uploadsEach    = 3  // per person
	uploadsNetwork = 24 // per network, such as an office
	uploadsAll     = 96
)

// Uploads are the budgets for uploads in progress in this process.
type Uploads struct {
	people, networks *budget.Budget[string]
}

// NewUploads makes the budgets.
func NewUploads() *Uploads {
	return &Uploads{budget.New[string](uploadsEach, uploadsAll), budget.New[string](uploadsNetwork, uploadsAll)}
}

// Upload lets a person send files, in a few requests at once. A request that declares more than fits on the disk is
// refused unread. A request without files doesn't count as an upload: forms may be sent the same way.
func (a *Auth) Upload(c *gin.Context) {
	if !mayHaveFiles(c) {
		return
	}
	if a.Room != nil {
		if err := a.Room(max(0, c.Request.ContentLength)); err != nil {
			respond.Error(c, err)
			return
		}
	}
	ending, end, done := endable(c)
	giveBack, err := a.Uploads.take(c, end)
	if err != nil {
		respond.Error(c, full(err, "uploads"))
		return
	}
	defer done()
	defer giveBack()
	c.Request = ending
	c.Next()
}

// mayHaveFiles reports whether a request is larger than all the text it may contain.
func mayHaveFiles(c *gin.Context) bool {
	r := c.Request
	return strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") && (r.ContentLength < 0 || r.ContentLength > 2*input.TextLimit)
}

// take reserves a slot for a person and one for their network. When all slots are taken, whoever holds the most loses
// one to somebody who holds fewer: end is called for that.
func (u *Uploads) take(c *gin.Context, end func()) (giveBack func(), err error) {
	from := network(c)
	person := from // somebody who is registering is not logged in
	if Current(c).State == SignedIn {
		person = UserID(c).Hex()
	}
	back, err := u.people.Take(person, end)
	if err != nil {
		return nil, err
	}
	alsoBack, err := u.networks.Take(from, end)
	if err != nil {
		back()
		return nil, err
	}
	return func() { back(); alsoBack() }, nil
}
