package controllers

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// ReportActions let users report content to the moderators.
type ReportActions struct{ *App }

// Routes registers the feature.
func (a ReportActions) Routes(r middlewares.Access) {
	for path, kind := range map[string]models.Reportable{
		"/reports/posts/:id": models.ReportedPost, "/reports/comments/:id": models.ReportedComment, "/reports/channels/:id": models.ReportedChannel,
	} {
		one := reportsOf{a.App, kind}
		r.Private.Page(http.MethodGet, path, one.New)
		r.Private.Limit(a.Auth.Limits.Reports).Both(http.MethodPost, path, one.Create)
	}
}

// reportsOf are the actions for reports on one kind of content.
type reportsOf struct {
	*App
	kind models.Reportable
}

// Reason is a reason for a report and its label.
type Reason struct{ Name, Label string }

var reasons = []Reason{
	{"spam", "Spam or a scam"},
	{"abuse", "Harassment or hate"},
	{"violence", "Violence or danger"},
	{"sexual", "Sexual content"},
	{"copyright", "Someone else’s work"},
	{"other", "Something else"},
}

type reportInput struct {
	Reason string `form:"reason" json:"reason"`
	Text   string `form:"text" json:"text"`
}

type reportForm struct {
	reportInput
	Target  ReportTarget `json:"target"`
	Reasons []Reason     `json:"-"`
}

// ReportTarget is what was reported, as it was at that time.
type ReportTarget struct {
	ID       string `json:"_id"`
	Kind     string `json:"kind"`
	Title    string `json:"title"`
	Text     string `json:"text"`
	Owner    string `json:"owner"` // the display name
	Username string `json:"username"`
	Path     string `json:"-"`
}

func reportTarget(c *models.Case) ReportTarget {
	out := ReportTarget{ID: c.Target.Hex(), Kind: string(c.Kind), Title: c.Title, Text: c.Text, Owner: c.OwnerName, Username: c.Username}
	switch c.Kind {
	case models.ReportedPost:
		out.Path = postPaths[string(c.PostKind)] + "/" + out.ID
	case models.ReportedComment:
		out.Path = "/comments/c/" + out.ID
	case models.ReportedChannel:
		out.Path = "/@" + c.Username
	}
	return out
}

// New is GET /reports/posts/:id, /reports/comments/:id and /reports/channels/:id: the report form.
func (a reportsOf) New(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	what, err := a.Reports.Look(c, user, a.kind, id)
	if err != nil {
		return err
	}
	return respond.Show(c, "reports/new", reportForm{Target: reportTarget(what), Reasons: reasons})
}

// Create is POST to the same paths: submits the report.
func (a reportsOf) Create(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	what, err := a.Reports.Look(c, user, a.kind, id)
	if err != nil {
		return err
	}
	form := reportForm{Target: reportTarget(what), Reasons: reasons}
	if err = input.Read(c.Request, &form.reportInput, nil); err == nil {
		err = a.Reports.Create(c, user, a.kind, id, form.Reason, form.Text)
	}
	if err != nil {
		return respond.Invalid(c, "reports/new", form, err)
	}
	return respond.Done(c, "Thank you. A moderator will look at it.", form.Target.Path, form)
}

// AdminReports let administrators review reports.
type AdminReports struct{ *App }

// Routes registers the feature.
func (a AdminReports) Routes(r middlewares.Access) {
	r.Admin.Both(http.MethodGet, "/admin/reports", a.Index)
	r.Admin.Both(http.MethodGet, "/admin/reports/:id", a.Show)
	r.Admin.Both(http.MethodPatch, "/admin/reports/:id", a.Update)
}

// Case is something that was reported, and the moderators' decision on it.
type Case struct {
	ID           string       `json:"_id"`
	Target       ReportTarget `json:"target"`
	ReportsCount int64        `json:"reportsCount"`
	IsOpen       bool         `json:"isOpen"`
	Outcome      string       `json:"outcome,omitempty"` // the latest decision
	By           string       `json:"by,omitempty"`      // a username
	DecidedAt    *time.Time   `json:"decidedAt"`
	LastAt       time.Time    `json:"lastAt"` // when the latest report was made
	CreatedAt    time.Time    `json:"createdAt"`
}

// Path is the path of the case's page.
func (c Case) Path() string { return "/admin/reports/" + c.ID }

var outcomes = map[models.Act]string{
	models.Dismiss: "dismissed", models.Hide: "hidden", models.Restore: "restored",
	models.DisableOwner: "disabled", models.EnableOwner: "enabled",
}

func caseOutput(c *models.Case) Case {
	return Case{
		ID: c.ID.Hex(), Target: reportTarget(c), ReportsCount: c.ReportsCount, IsOpen: c.Open, Outcome: outcomes[c.Outcome], By: c.By,
		DecidedAt: c.DecidedAt, LastAt: c.LastAt, CreatedAt: c.CreatedAt,
	}
}

type caseList struct {
	Cases []Case `json:"cases"`
	State string `json:"-"`
	next
}

// Index is GET /admin/reports: the open cases, or the closed ones with ?state=closed.
func (a AdminReports) Index(c *gin.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	var in struct {
		State string `form:"state"`
	}
	if err := input.Query(c.Request, &in); err != nil {
		return err
	}
	if in.State != "" && in.State != "open" && in.State != "closed" {
		return apperr.InvalidField("state", "One of: open, closed.")
	}
	page, err := a.Reports.Cases(c, in.State != "closed", p)
	if err != nil {
		return err
	}
	out := caseList{Cases: make([]Case, 0, len(page.Items)), State: in.State, next: nextOf(c, page.Next)}
	for _, one := range page.Items {
		out.Cases = append(out.Cases, caseOutput(one))
	}
	return respond.Show(c, "admin/reports", out)
}

// UserReport is one user's report.
type UserReport struct {
	ID        string    `json:"_id"`
	Reason    string    `json:"reason"`
	Label     string    `json:"-"`
	Text      string    `json:"text"`
	Reporter  *Owner    `json:"reporter"` // nil if the account was deleted a moment ago
	CreatedAt time.Time `json:"createdAt"`
}

type casePage struct {
	Case
	Reports    []UserReport `json:"reports"`
	IsHidden   bool         `json:"isHidden"`
	IsDisabled bool         `json:"isDisabled"` // the owner's account is disabled
	IsGone     bool         `json:"isGone"`     // deleted, no matter by whom
	IsMine     bool         `json:"-"`          // it is the administrator's own content
	next
}

// Show is GET /admin/reports/:id: one case with its reports.
func (a AdminReports) Show(c *gin.Context) error {
	_, id, err := target(c)
	if err != nil {
		return err
	}
	page, err := a.casePage(c, id)
	if err != nil {
		return err
	}
	return respond.Show(c, "admin/report", page)
}

type decision struct {
	Action string `form:"action" json:"action"`
}

// Update is PATCH /admin/reports/:id: dismisses the reports, hides or restores the content, or disables or enables its
// owner's account.
func (a AdminReports) Update(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if _, err := a.Reports.Case(c, id); err != nil {
		return err
	}
	var in decision
	if err = input.Read(c.Request, &in, nil); err == nil {
		_, err = a.Reports.Decide(c, models.Moderator{ID: user, Device: middlewares.DeviceOf(c)}, id, models.Act(in.Action))
	}
	page, failed := a.casePage(c, id)
	if failed != nil {
		return failed
	}
	if err != nil {
		return respond.Invalid(c, "admin/report", page, err)
	}
	message := map[models.Act]string{
		models.Dismiss: "The report is dismissed.", models.Hide: "It is hidden from everybody but its owner.", models.Restore: "It is visible again.",
		models.DisableOwner: "The account is disabled.", models.EnableOwner: "The account is enabled.",
	}[models.Act(in.Action)]
	return respond.Done(c, message, page.Path(), page)
}

func (a AdminReports) casePage(c *gin.Context, id bson.ObjectID) (page casePage, err error) {
	p, err := paging(c)
	if err != nil {
		return page, err
	}
	one, err := a.Reports.Case(c, id)
	if err != nil {
		return page, err
	}
	state, err := a.Reports.State(c, one)
	if err != nil {
		return page, err
	}
	reports, err := a.Reports.Page(c, id, p)
	if err != nil {
		return page, err
	}
	page = casePage{
		Case: caseOutput(one), Reports: make([]UserReport, 0, len(reports.Items)), IsHidden: state.Hidden, IsDisabled: state.Disabled,
		IsGone: state.Gone, IsMine: one.Owner == middlewares.UserID(c), next: nextOf(c, reports.Next),
	}
	reporters := make([]bson.ObjectID, len(reports.Items))
	for i, r := range reports.Items {
		reporters[i] = r.Reporter
	}
	users, err := a.Users.CachedByIDs(c, reporters)
	for _, r := range reports.Items {
		out := UserReport{ID: r.ID.Hex(), Reason: r.Reason, Label: labelOf(r.Reason), Text: r.Text, CreatedAt: r.CreatedAt}
		if u := users[r.Reporter]; u != nil {
			by := a.owner(u)
			out.Reporter = &by
		}
		page.Reports = append(page.Reports, out)
	}
	return page, err
}

func labelOf(reason string) string {
	for _, r := range reasons {
		if r.Name == reason {
			return r.Label
		}
	}
	return reason
}
