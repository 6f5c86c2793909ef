package controllers

import (
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/respond"
)

type dayFigures struct {
	Day string `json:"day"` // 2026-11-26, in UTC
	models.Figures
}

type dashboardPage struct {
	Totals models.Totals  `json:"totals"`
	Last   models.Figures `json:"last28Days"`
	Days   []dayFigures   `json:"days"` // the last 28, today last
	Charts []chart        `json:"-"`
}

// Empty reports whether nothing has happened on the channel yet.
func (d dashboardPage) Empty() bool { return d.Totals == models.Totals{} && d.Last == models.Figures{} }

// Dashboard is GET /dashboard: the totals of the user's channel, and its figures of the last 28 days.
func (s Studio) Dashboard(c *gin.Context) error {
	user := middlewares.UserID(c)
	totals, err := s.Posts.Totals(c, user)
	if err != nil {
		return err
	}
	days, err := s.Dailies.Last(c, user, models.ChartDays)
	if err != nil {
		return err
	}
	page := dashboardPage{Totals: totals, Days: make([]dayFigures, len(days))}
	for i, d := range days {
		page.Days[i] = dayFigures{d.Day.Format(time.DateOnly), d.Figures}
		page.Last.Views += d.Views
		page.Last.Likes += d.Likes
		page.Last.Comments += d.Comments
		page.Last.Subscribers += d.Subscribers
	}
	page.Charts = []chart{
		newChart("Views", days, func(f models.Figures) int64 { return f.Views }),
		newChart("Likes", days, func(f models.Figures) int64 { return f.Likes }),
		newChart("Comments", days, func(f models.Figures) int64 { return f.Comments }),
		newChart("New subscribers", days, func(f models.Figures) int64 { return f.Subscribers }),
	}
	return respond.Show(c, "studio/dashboard", page)
}

// chart is a row of bars, as the page draws them.
type chart struct {
	Name      string
	Sum, Most int64 // of all days, and of the best one
	Width     int
	Bars      []bar
}

// bar is one of them, in units of the drawing.
type bar struct {
	X, Y, Height, Width int
	Day                 string
	Value               int64
}

// The measures of a chart.
const (
	barWidth    = 8
	barStep     = 10
	chartHeight = 60
)

func newChart(name string, days []models.Daily, figure func(models.Figures) int64) chart {
	ch := chart{Name: name, Width: len(days) * barStep}
	for _, d := range days {
		ch.Sum += figure(d.Figures)
		ch.Most = max(ch.Most, figure(d.Figures))
	}
	for i, d := range days {
		value := figure(d.Figures)
		height := 1 // so that a day without anything is a visible line
		if value > 0 {
			height = max(3, int(value*chartHeight/ch.Most))
		}
		ch.Bars = append(ch.Bars, bar{X: i * barStep, Y: chartHeight - height, Height: height, Width: barWidth, Day: d.Day.Format("2 January"), Value: value})
	}
	return ch
}
