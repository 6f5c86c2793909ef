package middlewares

import (
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/utils/budget"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

const (
	uploadsEach    = 3  // of a person
	uploadsNetwork = 24 // of a network, such as an office
	uploadsAll     = 96
)

// Uploads are the budgets of the uploads that are under way in this process.
type Uploads struct {
	people, networks *budget.Budget[string]
}

// NewUploads makes the budgets.
func NewUploads() *Uploads {
	return &Uploads{budget.New[string](uploadsEach, uploadsAll), budget.New[string](uploadsNetwork, uploadsAll)}
}

// Upload lets a person send files, a few requests at once. One that says beforehand that there is no room for it on the disk
// is refused unread. What has no files is no upload: a form may be sent in the same way.
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

// mayHaveFiles tells requests that are larger than all text that they may bring.
func mayHaveFiles(c *gin.Context) bool {
	r := c.Request
	return strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") && (r.ContentLength < 0 || r.ContentLength > 2*input.TextLimit)
}

// take takes a place for a person and one for their network. When all are taken, whoever has most loses one to somebody who
// has less: end is called then.
func (u *Uploads) take(c *gin.Context, end func()) (giveBack func(), err error) {
	from := network(c)
	person := from // somebody who registers is nobody yet
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
